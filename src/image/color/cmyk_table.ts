/**
 * The device-to-Lab table of a CMYK profile (ICC.1:2022 sections 10.10 and 10.11: lut8Type and
 * lut16Type, which is what press profiles hold).
 *
 * @module
 */

import { parseIccHeader } from "../../core/image_header/icc_profile.ts";
import { hasText, u16be, u32be } from "../../core/image_header/byte_order.ts";

const INKS = 4;
const LAB = 3;
const MAX_TAGS = 256;
/** Largest grid: 33 points a side of 4 inks are a million nodes. */
const MAX_GRID = 33;
const TABLE_HEADER_BYTES = 48;

/** Curves and grid, with all values from 0 to 1. */
export interface CmykTable {
  readonly gridPoints: number;
  /** One curve an ink. */
  readonly inputCurves: readonly Float32Array[];
  /** `gridPoints` ^ 4 nodes of three values; black varies fastest. */
  readonly grid: Float32Array;
  /** One curve each for L, a and b. */
  readonly outputCurves: readonly Float32Array[];
  /** What 1 stands for: Lab of 16 bits goes a little beyond 100 and 127. */
  readonly lightnessScale: number;
  readonly chromaScale: number;
}

/** Reads the perceptual table; null when the profile has none of the two kinds, or a broken one. */
export function parseCmykTable(icc: Uint8Array): CmykTable | null {
  if (parseIccHeader(icc)?.space !== "CMYK" || !hasText(icc, 20, "Lab ")) return null;
  const tag = findTag(icc, "A2B0");
  if (!tag || tag.length < TABLE_HEADER_BYTES) return null;
  const wide = hasText(tag, 0, "mft2");
  if (!wide && !hasText(tag, 0, "mft1")) return null;
  const [inputs, outputs, gridPoints] = tag.subarray(8, 11);
  if (inputs !== INKS || outputs !== LAB || gridPoints < 2 || gridPoints > MAX_GRID) return null;
  const inputEntries = wide ? u16be(tag, 48) : 256;
  const outputEntries = wide ? u16be(tag, 50) : 256;
  const nodes = gridPoints ** INKS * LAB;
  const total = inputEntries * INKS + nodes + outputEntries * LAB;
  const from = TABLE_HEADER_BYTES + (wide ? 4 : 0);
  if (inputEntries < 2 || outputEntries < 2 || from + total * (wide ? 2 : 1) > tag.length) {
    return null;
  }
  const values = new Float32Array(total);
  for (let i = 0; i < total; i++) {
    values[i] = wide ? u16be(tag, from + i * 2) / 65_535 : tag[from + i] / 255;
  }
  const grid = values.subarray(inputEntries * INKS, inputEntries * INKS + nodes);
  return {
    gridPoints,
    inputCurves: split(values.subarray(0, inputEntries * INKS), INKS),
    grid,
    outputCurves: split(values.subarray(inputEntries * INKS + nodes), LAB),
    // lut16Type keeps the encoding of ICC version 2: 0xFF00 is 100, and 0x8000 is 0.
    lightnessScale: wide ? 100 * 65_535 / 65_280 : 100,
    chromaScale: wide ? 65_535 / 256 : 255,
  };
}

function findTag(icc: Uint8Array, name: string): Uint8Array | null {
  const tags = Math.min(u32be(icc, 128), MAX_TAGS);
  for (let i = 0; i < tags; i++) {
    const entry = 132 + i * 12;
    if (!hasText(icc, entry, name)) continue;
    const offset = u32be(icc, entry + 4);
    return icc.subarray(offset, offset + u32be(icc, entry + 8));
  }
  return null;
}

function split(values: Float32Array, parts: number): Float32Array[] {
  const length = values.length / parts;
  return Array.from({ length: parts }, (_, i) => values.subarray(i * length, (i + 1) * length));
}

/** A curve at `x` from 0 to 1. */
export function evaluateCurve(curve: Float32Array, x: number): number {
  const at = Math.min(1, Math.max(0, x)) * (curve.length - 1);
  const low = Math.min(curve.length - 2, Math.floor(at));
  return curve[low] + (curve[low + 1] - curve[low]) * (at - low);
}
