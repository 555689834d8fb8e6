/**
 * The first directory of a TIFF as a layout: where pixels lie and what their bits mean (TIFF 6.0).
 *
 * @module
 */

import { hasText, u16be, u16le, u32be, u32le } from "../../core/image_header/byte_order.ts";
import { tiffAlphaKind } from "../../core/image_header/tiff_header.ts";
import { AppError } from "../../errors.ts";

/** Most entries of the directory, and most values of one entry: strips of a 65,535-row picture. */
const MAX_ENTRIES = 4_096;
const MAX_VALUES = 262_144;

/** TIFF 6.0 section 8: what photometric interpretation numbers mean. */
export const PHOTOMETRIC = {
  whiteIsZero: 0,
  blackIsZero: 1,
  rgb: 2,
  palette: 3,
  separated: 5,
  ycbcr: 6,
  cieLab: 8,
  iccLab: 9,
} as const;

/** Everything that decoding needs to know. */
export interface TiffLayout {
  readonly littleEndian: boolean;
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly samples: number;
  /** 1 unsigned, 3 floating point; others are refused. */
  readonly sampleFormat: number;
  readonly photometric: number;
  readonly compression: number;
  readonly predictor: number;
  /** Whether each sample has planes of its own. */
  readonly planar: boolean;
  /** Whether the lowest bit of a byte comes first. */
  readonly reversedBits: boolean;
  /** Size of a strip or tile; a strip is as wide as the picture. */
  readonly chunkWidth: number;
  readonly chunkHeight: number;
  /** Strips or tiles, in rows from the left, plane after plane. */
  readonly offsets: readonly number[];
  readonly byteCounts: readonly number[];
  /** Red, green and blue ramps of 16 bits, one after the other. */
  readonly colorMap: readonly number[];
  /** 0 none, 1 premultiplied alpha, 2 alpha. */
  readonly alphaKind: number;
  /** T4Options: bit 0 two-dimensional. */
  readonly faxOptions: number;
  /** Horizontal and vertical subsampling of chroma. */
  readonly subsampling: readonly number[];
  /** Abbreviated tables of JPEG strips. */
  readonly jpegTables: Uint8Array | null;
}

type Values = (tag: number) => readonly number[];

/**
 * Reads the directory.
 *
 * @throws {AppError} `image_undecodable` when it is broken.
 */
export function parseTiffLayout(bytes: Uint8Array): TiffLayout {
  const littleEndian = hasText(bytes, 0, "II");
  const entries = readEntries(bytes, littleEndian);
  const values: Values = (tag) => entries.get(tag)?.values() ?? [];
  const one = (tag: number, missing: number) => values(tag)[0] ?? missing;
  const width = one(256, 0);
  const height = one(257, 0);
  const tileWidth = one(322, 0);
  const tileHeight = one(323, 0);
  const tiled = tileWidth > 0 && tileHeight > 0;
  const chunkHeight = tiled ? tileHeight : Math.min(height, one(278, height));
  const samples = one(277, 1);
  const photometric = one(262, -1);
  const layout = {
    littleEndian,
    width,
    height,
    bits: one(258, 1),
    samples,
    sampleFormat: one(339, 1),
    photometric,
    compression: one(259, 1),
    predictor: one(317, 1),
    planar: one(284, 1) === 2 && samples > 1,
    reversedBits: one(266, 1) === 2,
    chunkWidth: tiled ? tileWidth : width,
    chunkHeight,
    offsets: values(tiled ? 324 : 273),
    byteCounts: values(tiled ? 325 : 279),
    colorMap: values(320),
    alphaKind: tiffAlphaKind({ photometric, samples, extraSamples: values(338)[0] }),
    faxOptions: one(292, 0),
    subsampling: values(530).length === 2 ? values(530) : [2, 2],
    jpegTables: entries.get(347)?.bytes() ?? null,
  };
  checkLayout(layout, values(258));
  return layout;
}

function checkLayout(layout: TiffLayout, bits: readonly number[]): void {
  const { width, height, chunkWidth, chunkHeight, samples } = layout;
  if (width < 1 || height < 1 || chunkHeight < 1) throw broken("has an impossible size");
  if (chunkWidth > 2 * width + 1_024 || chunkHeight > 2 * height + 1_024) {
    throw broken("has tiles much larger than itself");
  }
  const signed = layout.sampleFormat !== 1 && layout.sampleFormat !== 3;
  const uneven = bits.some((value) => value !== layout.bits);
  if (samples < 1 || samples > 8 || uneven || signed && layout.bits > 1) {
    throw new AppError("unsupported_image", "TIFF with such samples is not supported");
  }
  const across = Math.ceil(width / chunkWidth);
  const down = Math.ceil(height / chunkHeight);
  const chunks = across * down * (layout.planar ? samples : 1);
  if (layout.offsets.length < chunks) throw broken("lacks some of its strips");
}

interface Entry {
  values(): readonly number[];
  bytes(): Uint8Array;
}

/** Bytes of one value by field type: BYTE, ASCII, SHORT, LONG, RATIONAL, …, UNDEFINED. */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8];

function readEntries(bytes: Uint8Array, littleEndian: boolean): Map<number, Entry> {
  const u16 = littleEndian ? u16le : u16be;
  const u32 = littleEndian ? u32le : u32be;
  const at = u32(bytes, 4);
  const count = at + 2 <= bytes.length ? u16(bytes, at) : 0;
  if (count === 0 || count > MAX_ENTRIES) throw broken("has no directory");
  const entries = new Map<number, Entry>();
  for (let i = 0; i < count; i++) {
    const entry = at + 2 + i * 12;
    if (entry + 12 > bytes.length) break;
    const type = u16(bytes, entry + 2);
    const values = u32(bytes, entry + 4);
    const size = TYPE_BYTES[type] ?? 0;
    const from = size * values <= 4 ? entry + 8 : u32(bytes, entry + 8);
    const inside = size > 0 && from + size * values <= bytes.length;
    const tag = u16(bytes, entry);
    if (!inside || values > MAX_VALUES && size > 1 || entries.has(tag)) continue;
    entries.set(tag, {
      bytes: () => bytes.subarray(from, from + size * values),
      values: () =>
        Array.from(
          { length: Math.min(values, MAX_VALUES) },
          (_, n) =>
            size === 1
              ? bytes[from + n]
              : size === 2
              ? u16(bytes, from + n * 2)
              : u32(bytes, from + n * size),
        ),
    });
  }
  return entries;
}

function broken(what: string): AppError {
  return new AppError("image_undecodable", `The TIFF ${what}`);
}
