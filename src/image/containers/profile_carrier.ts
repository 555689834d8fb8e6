/**
 * Taking ICC profiles out of sources and putting them into variants.
 *
 * @module
 */

import type { ImageFacts } from "../../core/image_facts.ts";
import { memorySource } from "../../core/image_header/byte_source.ts";
import { readIccProfile } from "../../core/image_header/icc_profile.ts";
import type { OutputFormat } from "../render_spec.ts";
import { rewriteAvif } from "./avif_container.ts";
import { rewriteJpeg } from "./jpeg_container.ts";
import { rewritePng } from "./png_container.ts";
import { profileForOutput } from "./profile_for_output.ts";
import { rewriteWebp } from "./webp_container.ts";

/** What a container has to know of the picture in it. */
export interface PictureShape {
  readonly format: OutputFormat;
  readonly width: number;
  readonly height: number;
  /** Whether some pixel is transparent. */
  readonly alpha: boolean;
}

/** The profile of a source that may go into a variant; null when it has none that fits. */
export async function extractProfile(
  source: Uint8Array,
  facts: ImageFacts,
  format: OutputFormat = "webp",
): Promise<Uint8Array | null> {
  if (facts.icc === null) return null;
  return profileForOutput(facts, await readIccProfile(memorySource(source), facts.icc), format);
}

/** Puts a profile into an encoded variant, and drops all metadata on the way. */
export function embedProfile(
  variant: Uint8Array,
  icc: Uint8Array,
  picture: PictureShape,
): Uint8Array<ArrayBuffer> {
  return rewrite(variant, icc, picture);
}

/** Drops everything from an encoded variant that is not needed to decode it, its profile too. */
export function stripMetadata(
  variant: Uint8Array,
  picture: PictureShape,
): Uint8Array<ArrayBuffer> {
  return rewrite(variant, null, picture);
}

function rewrite(
  variant: Uint8Array,
  icc: Uint8Array | null,
  picture: PictureShape,
): Uint8Array<ArrayBuffer> {
  switch (picture.format) {
    case "webp":
      return rewriteWebp(variant, { icc, ...picture });
    case "jpg":
      return rewriteJpeg(variant, icc);
    case "png":
      return rewritePng(variant, icc);
    case "avif":
      return rewriteAvif(variant, icc);
  }
}
