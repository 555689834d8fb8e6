/**
 * The mixer for a source with inks, made from the profile in its file.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import type { ImageFacts } from "../../core/image_facts.ts";
import { memorySource } from "../../core/image_header/byte_source.ts";
import { readIccProfile } from "../../core/image_header/icc_profile.ts";
import { makeRoom } from "../../core/make_room.ts";
import { createInkMixer, type InkMixer } from "./ink_mixer.ts";

/** Most mixers that are kept: each takes under a megabyte, and some dozens of milliseconds to make. */
const MAX_KEPT = 4;

const kept = new Map<string, InkMixer | null>();

/** Whether pixels are inks and the file says which. */
export function hasInkProfile(facts: Pick<ImageFacts, "colorModel" | "icc">): boolean {
  return (facts.colorModel === "cmyk" || facts.colorModel === "ycck") &&
    facts.icc?.space === "CMYK";
}

/** Reads the profile and makes its mixer, or takes one that was made before. Null without one. */
export async function loadInkMixer(bytes: Uint8Array, facts: ImageFacts): Promise<InkMixer | null> {
  if (!hasInkProfile(facts) || facts.icc === null) return null;
  const icc = await readIccProfile(memorySource(bytes), facts.icc);
  if (icc === null) return null;
  const key = `${icc.length}-${crc32(icc)}`;
  const known = kept.get(key);
  if (known !== undefined) return known;
  const mixer = createInkMixer(icc);
  makeRoom(kept, MAX_KEPT);
  kept.set(key, mixer);
  return mixer;
}
