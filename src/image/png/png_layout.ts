/**
 * The chunks of a PNG file (W3C PNG third edition, sections 5 and 11).
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { AppError } from "../../errors.ts";

/** The colour types of IHDR (section 11.2.1). */
export const PNG_COLOR = { gray: 0, rgb: 2, palette: 3, grayAlpha: 4, rgba: 6 } as const;

/** What a decoder needs of the chunks before and around the image data. */
export interface PngLayout {
  readonly width: number;
  readonly height: number;
  /** Bits per sample: 1, 2, 4, 8 or 16. */
  readonly depth: number;
  readonly colorType: number;
  readonly interlaced: boolean;
  /** RGB triples, or null without PLTE. */
  readonly palette: Uint8Array | null;
  /** The content of tRNS, or null. */
  readonly transparency: Uint8Array | null;
  /** Where each IDAT's data lies, with the CRC that follows it. */
  readonly data: readonly PngDataChunk[];
}

/** One IDAT chunk; its CRC covers the type and the data. */
export interface PngDataChunk {
  readonly start: number;
  readonly end: number;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** A chunk is its length, type and CRC around the data. */
const CHUNK_OVERHEAD_BYTES = 12;
/** A file of empty chunks would otherwise cost an object each. */
const MAX_CHUNKS = 200_000;

const TYPE = {
  IHDR: 0x49484452,
  PLTE: 0x504c5445,
  IDAT: 0x49444154,
  IEND: 0x49454e44,
  tRNS: 0x74524e53,
} as const;

/** Bit 5 of the first letter: set on chunks that a decoder may ignore (section 5.4). */
const ANCILLARY = 0x20000000;

const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  [PNG_COLOR.gray]: [1, 2, 4, 8, 16],
  [PNG_COLOR.rgb]: [8, 16],
  [PNG_COLOR.palette]: [1, 2, 4, 8],
  [PNG_COLOR.grayAlpha]: [8, 16],
  [PNG_COLOR.rgba]: [8, 16],
};

/**
 * Reads the chunk list. Of an animated PNG it sees the default image only: fdAT is ignored.
 *
 * @throws {AppError} `image_undecodable` for broken structure or checksums, `image_truncated` when
 * the file ends before its image data does.
 */
export function readPngLayout(bytes: Uint8Array): PngLayout {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (SIGNATURE.some((byte, i) => bytes[i] !== byte)) throw broken("The PNG signature is missing");
  let header: Pick<PngLayout, "width" | "height" | "depth" | "colorType" | "interlaced"> | null =
    null;
  let palette: Uint8Array | null = null;
  let transparency: Uint8Array | null = null;
  const data: PngDataChunk[] = [];
  let chunks = 0;
  for (let at = SIGNATURE.length; at + 8 <= bytes.length;) {
    if (++chunks > MAX_CHUNKS) throw broken("The PNG has too many chunks");
    const type = view.getUint32(at + 4);
    const start = at + 8;
    const end = start + view.getUint32(at);
    if (header === null && type !== TYPE.IHDR) throw broken("The PNG does not begin with IHDR");
    if (type === TYPE.IEND) break;
    if (type === TYPE.IDAT) {
      // A cut-off IDAT is kept: whether enough of the picture came is seen when its rows do.
      data.push({ start, end });
    } else if (end + 4 > bytes.length) {
      break;
    } else if (type === TYPE.IHDR) {
      if (header !== null) throw broken("The PNG has two headers");
      checkChunkCrc(bytes, { start, end });
      header = readHeader(view, start, end);
    } else if (type === TYPE.PLTE) {
      checkChunkCrc(bytes, { start, end });
      palette = bytes.subarray(start, end);
    } else if (type === TYPE.tRNS && data.length === 0) {
      checkChunkCrc(bytes, { start, end });
      transparency = bytes.subarray(start, end);
    } else if ((type & ANCILLARY) === 0) {
      throw broken("The PNG has an unknown critical chunk");
    }
    at = end - start + CHUNK_OVERHEAD_BYTES + at;
  }
  if (header === null || data.length === 0) {
    throw new AppError("image_truncated", "The PNG ends before its image data");
  }
  const layout = { ...header, palette, transparency, data };
  checkPalette(layout);
  return layout;
}

function readHeader(
  view: DataView,
  start: number,
  end: number,
): Pick<PngLayout, "width" | "height" | "depth" | "colorType" | "interlaced"> {
  if (end - start !== 13) throw broken("The PNG header has the wrong length");
  const width = view.getUint32(start);
  const height = view.getUint32(start + 4);
  const depth = view.getUint8(start + 8);
  const colorType = view.getUint8(start + 9);
  const interlace = view.getUint8(start + 12);
  if (width === 0 || height === 0) throw broken("The PNG has no pixels");
  if (!DEPTHS[colorType]?.includes(depth)) {
    throw broken("The PNG has an impossible colour type and bit depth");
  }
  if (view.getUint8(start + 10) !== 0 || view.getUint8(start + 11) !== 0 || interlace > 1) {
    throw broken("The PNG names an unknown compression, filter or interlace method");
  }
  return { width, height, depth, colorType, interlaced: interlace === 1 };
}

function checkPalette({ colorType, palette }: PngLayout): void {
  if (colorType !== PNG_COLOR.palette) return;
  if (palette === null || palette.length === 0 || palette.length % 3 !== 0) {
    throw broken("The PNG lacks a valid palette");
  }
}

/**
 * Checks the CRC of the chunk whose data is `[start, end)`.
 *
 * @throws {AppError} `image_undecodable` when it differs, `image_truncated` when it is cut off.
 */
export function checkChunkCrc(bytes: Uint8Array, { start, end }: PngDataChunk): void {
  if (end + 4 > bytes.length) {
    throw new AppError("image_truncated", "The PNG ends inside its image data");
  }
  const stored = new DataView(bytes.buffer, bytes.byteOffset + end, 4).getUint32(0);
  if (crc32(bytes.subarray(start - 4, end)) !== stored) {
    throw broken("The PNG has a chunk with a wrong checksum");
  }
}

function broken(detail: string): AppError {
  return new AppError("image_undecodable", detail);
}
