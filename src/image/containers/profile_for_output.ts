/**
 * Which ICC profile a variant gets.
 *
 * @module
 */

import type { ImageFacts } from "../../core/image_facts.ts";
import { iccProfileName, parseIccHeader } from "../../core/image_header/icc_profile.ts";
import type { OutputFormat } from "../render_spec.ts";

/**
 * Gives the profile to embed into a variant, or null for none.
 *
 * Variants are RGB. A profile describes the numbers it was made for, so only an RGB profile of a
 * source whose pixels reach the variant as they are may go along:
 * - CMYK and YCCK sources are converted to RGB: their profile would turn the result into mud.
 * - Gray sources are written as RGB; a `GRAY` profile on RGB samples is invalid (ICC.1 section 7.2.6).
 * - Lab sources are converted, so their profile no longer describes the numbers.
 * - A profile whose space is not `RGB` on an RGB source is a lie in the file, and is dropped.
 * - SVG is drawn in sRGB and has none.
 *
 * Every output format can hold a profile, so the format does not matter today; it is asked for so
 * that one that cannot has its place here.
 */
export function profileForOutput(
  facts: Pick<ImageFacts, "format" | "colorModel">,
  icc: Uint8Array | null,
  _format: OutputFormat,
): Uint8Array | null {
  if (icc === null || facts.format === "svg") return null;
  if (facts.colorModel !== "rgb" && facts.colorModel !== "palette") return null;
  return parseIccHeader(icc)?.space === "RGB" ? icc : null;
}

/** The name under which a PNG carries a profile: Latin-1, 1 to 79 characters, no outer spaces. */
export function pngProfileName(icc: Uint8Array): string {
  const name = (iccProfileName(icc) ?? "").replace(/[^\x20-\x7e]/g, "").replace(/ +/g, " ");
  return name.slice(0, 79).trim() || "ICC";
}
