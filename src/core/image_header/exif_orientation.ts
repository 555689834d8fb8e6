/**
 * The orientation out of an EXIF block (a TIFF structure, TIFF 6.0 section 2).
 *
 * @module
 */

import { type Orientation, toOrientation } from "../image_facts.ts";
import { hasText, u16be, u16le, u32be, u32le } from "./byte_order.ts";

/** Most entries of the first directory that are looked at. Real ones have some dozens. */
const MAX_ENTRIES = 1_000;
const ORIENTATION_TAG = 274;
const TYPE_SHORT = 3;
const TYPE_LONG = 4;

/**
 * Reads the orientation tag of the first directory. Everything doubtful (no EXIF, cut short, wrong
 * type or count, out of range) counts as 1. No pointer but the first is followed: no loops.
 *
 * @param exif The TIFF structure, with or without the leading `Exif\0\0`.
 */
export function parseExifOrientation(exif: Uint8Array): Orientation {
  const tiff = hasText(exif, 0, "Exif\0\0") ? exif.subarray(6) : exif;
  const little = hasText(tiff, 0, "II*\0");
  if (!little && !hasText(tiff, 0, "MM\0*")) return 1;
  const u16 = little ? u16le : u16be;
  const u32 = little ? u32le : u32be;
  const directory = u32(tiff, 4);
  if (directory + 2 > tiff.length) return 1;
  const entries = Math.min(u16(tiff, directory), MAX_ENTRIES);
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + i * 12;
    if (entry + 12 > tiff.length) return 1;
    if (u16(tiff, entry) !== ORIENTATION_TAG) continue;
    const type = u16(tiff, entry + 2);
    if (u32(tiff, entry + 4) !== 1) return 1;
    if (type === TYPE_SHORT) return toOrientation(u16(tiff, entry + 8));
    return type === TYPE_LONG ? toOrientation(u32(tiff, entry + 8)) : 1;
  }
  return 1;
}
