/**
 * From finished PNG rows to packed pixels: every colour type, depth and kind of transparency.
 *
 * @module
 */

import { AppError } from "../../errors.ts";
import { packLanes } from "../packed_lanes.ts";
import { LANE1, LANE2, type LaneSpace } from "../strip.ts";
import { PNG_COLOR, type PngLayout } from "./png_layout.ts";

/** Where a packed row goes; `alpha` is null for opaque pictures. */
export interface PackedRow {
  readonly color: Float64Array;
  readonly alpha: Uint8Array | null;
  /** Index of the row's first pixel in both. */
  readonly at: number;
  readonly width: number;
}

/** Turns unfiltered rows into packed ones; colour is premultiplied where there is alpha. */
export interface RowPacker {
  readonly space: LaneSpace;
  readonly alpha: boolean;
  pack(row: Uint8Array, target: PackedRow): void;
}

/** Chooses the packer for a layout. */
export function createRowPacker(layout: PngLayout): RowPacker {
  const { colorType, depth } = layout;
  const wide = depth === 16;
  if (colorType === PNG_COLOR.palette) return packByTable(depth, buildPaletteTable(layout));
  if (colorType === PNG_COLOR.gray && !wide) return packByTable(depth, buildGrayTable(layout));
  const key = readColorKey(layout);
  const bytes = wide ? 2 : 1;
  if (colorType === PNG_COLOR.gray) {
    return key === null
      ? { space: "gray", alpha: false, pack: packWideGray }
      : { space: "gray", alpha: true, pack: (row, to) => packKeyedGray(row, to, key[0]) };
  }
  if (colorType === PNG_COLOR.rgb) {
    if (key !== null) {
      return {
        space: "rgb",
        alpha: true,
        pack: (row, to) => packKeyedRgb(row, to, { key, bytes }),
      };
    }
    return { space: "rgb", alpha: false, pack: wide ? packWideRgb : packRgb };
  }
  return colorType === PNG_COLOR.grayAlpha
    ? { space: "gray", alpha: true, pack: (row, to) => packGrayAlpha(row, to, bytes) }
    : { space: "rgb", alpha: true, pack: (row, to) => packRgba(row, to, bytes) };
}

/** Rounds a 16-bit sample to 8 bits, as libpng's `png_set_scale_16` does. */
function narrow(high: number, low: number): number {
  return (((high << 8) | low) * 255 + 32895) >>> 16;
}

/** `sample * alpha / 255`, rounded. */
function premultiply(sample: number, alpha: number): number {
  return (sample * alpha * 257 + 32896) >>> 16;
}

interface SampleTable {
  readonly space: LaneSpace;
  /** Packed (premultiplied) colour of each sample value, 256 entries. */
  readonly colors: Float64Array;
  /** Alpha of each sample value, or null when all are opaque. */
  readonly alphas: Uint8Array | null;
}

function buildPaletteTable({ palette, transparency }: PngLayout): SampleTable {
  const colors = new Float64Array(256);
  const alphas = new Uint8Array(256).fill(255);
  if (transparency !== null) alphas.set(transparency.subarray(0, 256));
  const entries = Math.min(256, (palette?.length ?? 0) / 3);
  for (let i = 0; i < entries && palette !== null; i++) {
    const alpha = alphas[i];
    colors[i] = premultiply(palette[3 * i], alpha) +
      (premultiply(palette[3 * i + 1], alpha) * LANE1 +
        premultiply(palette[3 * i + 2], alpha) * LANE2);
  }
  return { space: "rgb", colors, alphas: transparency === null ? null : alphas };
}

function buildGrayTable(layout: PngLayout): SampleTable {
  const top = (1 << layout.depth) - 1;
  const colors = Float64Array.from(
    { length: 256 },
    (_, i) => Math.round(Math.min(i, top) * 255 / top),
  );
  const key = readColorKey(layout);
  if (key === null) return { space: "gray", colors, alphas: null };
  const alphas = new Uint8Array(256).fill(255);
  if (key[0] <= top) {
    alphas[key[0]] = 0;
    colors[key[0]] = 0;
  }
  return { space: "gray", colors, alphas };
}

function packByTable(depth: number, { space, colors, alphas }: SampleTable): RowPacker {
  const perByte = 8 / depth;
  const mask = (1 << depth) - 1;
  return {
    space,
    alpha: alphas !== null,
    pack(row, { color, alpha, at, width }) {
      for (let x = 0; x < width; x++) {
        const sample = depth === 8
          ? row[x]
          : (row[(x / perByte) | 0] >> (8 - depth - (x % perByte) * depth)) & mask;
        color[at + x] = colors[sample];
        if (alpha !== null && alphas !== null) alpha[at + x] = alphas[sample];
      }
    },
  };
}

/** The single transparent colour of tRNS, at the depth of the samples (section 11.3.1.1). */
function readColorKey({ colorType, transparency, depth }: PngLayout): number[] | null {
  if (transparency === null) return null;
  const channels = colorType === PNG_COLOR.gray ? 1 : colorType === PNG_COLOR.rgb ? 3 : 0;
  if (channels === 0) return null;
  if (transparency.length < 2 * channels) {
    throw new AppError("image_undecodable", "The PNG has a transparent colour that is cut off");
  }
  const mask = (1 << depth) - 1;
  return Array.from(
    { length: channels },
    (_, i) => ((transparency[2 * i] << 8) | transparency[2 * i + 1]) & mask,
  );
}

function packRgb(row: Uint8Array, { color, at, width }: PackedRow): void {
  for (let x = 0, p = 0; x < width; x++, p += 3) {
    color[at + x] = packLanes(row[p], row[p + 1], row[p + 2]);
  }
}

function packWideRgb(row: Uint8Array, { color, at, width }: PackedRow): void {
  for (let x = 0, p = 0; x < width; x++, p += 6) {
    color[at + x] = packLanes(
      narrow(row[p], row[p + 1]),
      narrow(row[p + 2], row[p + 3]),
      narrow(row[p + 4], row[p + 5]),
    );
  }
}

function packWideGray(row: Uint8Array, { color, at, width }: PackedRow): void {
  for (let x = 0, p = 0; x < width; x++, p += 2) color[at + x] = narrow(row[p], row[p + 1]);
}

function packKeyedGray(row: Uint8Array, { color, alpha, at, width }: PackedRow, key: number): void {
  if (alpha === null) return;
  for (let x = 0, p = 0; x < width; x++, p += 2) {
    const clear = ((row[p] << 8) | row[p + 1]) === key;
    color[at + x] = clear ? 0 : narrow(row[p], row[p + 1]);
    alpha[at + x] = clear ? 0 : 255;
  }
}

function packKeyedRgb(
  row: Uint8Array,
  { color, alpha, at, width }: PackedRow,
  { key, bytes }: { key: number[]; bytes: number },
): void {
  if (alpha === null) return;
  const wide = bytes === 2;
  for (let x = 0, p = 0; x < width; x++, p += 3 * bytes) {
    const red = wide ? (row[p] << 8) | row[p + 1] : row[p];
    const green = wide ? (row[p + 2] << 8) | row[p + 3] : row[p + 1];
    const blue = wide ? (row[p + 4] << 8) | row[p + 5] : row[p + 2];
    const clear = red === key[0] && green === key[1] && blue === key[2];
    alpha[at + x] = clear ? 0 : 255;
    if (clear) color[at + x] = 0;
    else if (!wide) color[at + x] = packLanes(red, green, blue);
    else color[at + x] = packLanes(narrow(0, red), narrow(0, green), narrow(0, blue));
  }
}

function packGrayAlpha(
  row: Uint8Array,
  { color, alpha, at, width }: PackedRow,
  bytes: number,
): void {
  if (alpha === null) return;
  const wide = bytes === 2;
  for (let x = 0, p = 0; x < width; x++, p += 2 * bytes) {
    const opacity = wide ? narrow(row[p + 2], row[p + 3]) : row[p + 1];
    alpha[at + x] = opacity;
    color[at + x] = premultiply(wide ? narrow(row[p], row[p + 1]) : row[p], opacity);
  }
}

function packRgba(row: Uint8Array, target: PackedRow, bytes: number): void {
  const { color, alpha, at, width } = target;
  if (alpha === null) return;
  const last = bytes === 2 ? 6 : 3;
  for (let x = 0, p = 0; x < width; x++, p += 4 * bytes) {
    const wide = bytes === 2;
    const red = wide ? narrow(row[p], row[p + 1]) : row[p];
    const green = wide ? narrow(row[p + 2], row[p + 3]) : row[p + 1];
    const blue = wide ? narrow(row[p + 4], row[p + 5]) : row[p + 2];
    const opacity = wide ? narrow(row[p + last], row[p + last + 1]) : row[p + last];
    alpha[at + x] = opacity;
    color[at + x] = opacity === 255 ? packLanes(red, green, blue) : packLanes(
      premultiply(red, opacity),
      premultiply(green, opacity),
      premultiply(blue, opacity),
    );
  }
}
