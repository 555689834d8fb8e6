/**
 * One strip or tile of a TIFF, decompressed into 8-bit samples.
 *
 * @module
 */

import { AppError } from "../../errors.ts";
import { reverseBits, unpackBits, unpackDeflate, unpackLzw } from "./decompress.ts";
import type { TiffLayout } from "./tiff_layout.ts";
import { unpackFax } from "./unpack_fax.ts";

/** By compression number. */
const FAX_KINDS = { 2: "rle", 3: "group3", 4: "group4" } as const;

/** Samples in a chunk: chunky files hold all of a pixel together, planar ones one at a time. */
export function samplesInChunk({ planar, samples }: TiffLayout): number {
  return planar ? 1 : samples;
}

/**
 * Decompresses one chunk.
 *
 * @param index Position in the layout's lists.
 * @param rows Rows that the chunk holds: fewer in the last strip.
 * @returns 8-bit samples, `rows * chunkWidth * samplesInChunk` of them.
 */
export function readChunk(
  bytes: Uint8Array,
  layout: TiffLayout,
  chunk: { index: number; rows: number },
): Uint8Array {
  const { chunkWidth, bits, littleEndian } = layout;
  const perRow = chunkWidth * samplesInChunk(layout);
  const rowBytes = Math.ceil(perRow * bits / 8);
  const raw = decompress(bytes, layout, { ...chunk, rowBytes });
  const predicted = layout.predictor === 2 && bits >= 8;
  if (predicted && bits === 16) undoPredictor16(raw, layout, rowBytes);
  if (predicted && bits === 8) undoPredictor8(raw, layout, rowBytes);
  if (layout.predictor === 3 || (layout.predictor === 2 && bits !== 8 && bits !== 16)) {
    throw new AppError("unsupported_image", "TIFF with this predictor is not supported");
  }
  if (bits === 8) return raw;
  if (bits === 16) return toHighBytes(raw, littleEndian);
  if (bits === 32 || bits === 64) return toBytes(raw, layout);
  return widenBits(raw, { bits, perRow, rowBytes, scale: layout.photometric !== 3 });
}

function decompress(
  bytes: Uint8Array,
  layout: TiffLayout,
  { index, rows, rowBytes }: { index: number; rows: number; rowBytes: number },
): Uint8Array {
  const offset = layout.offsets[index];
  const length = layout.byteCounts[index] ?? bytes.length - offset;
  let data = bytes.subarray(offset, offset + length);
  if (layout.reversedBits) data = reverseBits(data);
  const wanted = rows * rowBytes;
  const out = new Uint8Array(wanted);
  const written = unpack(data, layout, { out, rows, rowBytes });
  if (written < 0) throw new AppError("image_undecodable", "The TIFF has a broken strip");
  if (written < wanted) throw new AppError("image_truncated", "The TIFF has a strip cut short");
  return out;
}

function unpack(
  data: Uint8Array,
  layout: TiffLayout,
  target: { out: Uint8Array; rows: number; rowBytes: number },
): number {
  const { out, rows, rowBytes } = target;
  switch (layout.compression) {
    case 1:
      out.set(data.subarray(0, out.length));
      return Math.min(data.length, out.length);
    case 2:
    case 3:
    case 4: {
      if (layout.bits !== 1 || layout.samples !== 1) return -1;
      const kind = FAX_KINDS[layout.compression];
      const twoDimensional = (layout.faxOptions & 1) === 1;
      return unpackFax({ data, width: layout.chunkWidth, rows, kind, twoDimensional }, out) *
        rowBytes;
    }
    case 5:
      return unpackLzw(data, out);
    case 8:
    case 32946:
      return unpackDeflate(data, out);
    case 32773:
      return unpackBits(data, out);
    default:
      throw new AppError("unsupported_image", "TIFF with this compression is not supported");
  }
}

/** Each sample is the difference from the same sample of the pixel before (TIFF 6.0 section 14). */
function undoPredictor8(raw: Uint8Array, layout: TiffLayout, rowBytes: number): void {
  const step = samplesInChunk(layout);
  for (let row = 0; row < raw.length; row += rowBytes) {
    for (let i = row + step; i < row + rowBytes; i++) raw[i] += raw[i - step];
  }
}

function undoPredictor16(raw: Uint8Array, layout: TiffLayout, rowBytes: number): void {
  const step = samplesInChunk(layout) * 2;
  const high = layout.littleEndian ? 1 : 0;
  for (let row = 0; row < raw.length; row += rowBytes) {
    for (let i = row + step; i < row + rowBytes; i += 2) {
      const low = raw[i + 1 - high] + raw[i - step + 1 - high];
      raw[i + 1 - high] = low;
      raw[i + high] += raw[i - step + high] + (low >> 8);
    }
  }
}

function toHighBytes(raw: Uint8Array, littleEndian: boolean): Uint8Array {
  const high = littleEndian ? 1 : 0;
  const samples = new Uint8Array(raw.length >> 1);
  for (let i = 0; i < samples.length; i++) samples[i] = raw[i * 2 + high];
  return samples;
}

/** Floating point is linear light from 0 to 1; of whole numbers the highest byte counts. */
function toBytes(raw: Uint8Array, { bits, littleEndian, sampleFormat }: TiffLayout): Uint8Array {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
  const step = bits / 8;
  const samples = new Uint8Array(raw.length / step);
  for (let i = 0; i < samples.length; i++) {
    if (sampleFormat === 3) {
      const value = bits === 32
        ? view.getFloat32(i * step, littleEndian)
        : view.getFloat64(i * step, littleEndian);
      samples[i] = encodeGamma(value);
    } else {
      samples[i] = raw[i * step + (littleEndian ? step - 1 : 0)];
    }
  }
  return samples;
}

/** Linear light to sRGB (IEC 61966-2-1); what is no number is black. */
function encodeGamma(value: number): number {
  if (!(value > 0)) return 0;
  const encoded = value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055;
  return Math.round(Math.min(1, encoded) * 255);
}

/** Samples of 1 to 7, or 9 to 15 bits; palette indices keep their value. */
function widenBits(
  raw: Uint8Array,
  options: { bits: number; perRow: number; rowBytes: number; scale: boolean },
): Uint8Array {
  const { bits, perRow, rowBytes, scale } = options;
  if (bits > 16) throw new AppError("unsupported_image", "TIFF with such samples is not supported");
  const rows = raw.length / rowBytes;
  const samples = new Uint8Array(rows * perRow);
  const max = (1 << bits) - 1;
  for (let y = 0, to = 0; y < rows; y++) {
    for (let i = 0, bit = y * rowBytes * 8; i < perRow; i++, bit += bits) {
      const at = bit >> 3;
      const word = raw[at] << 16 | (raw[at + 1] ?? 0) << 8 | (raw[at + 2] ?? 0);
      const value = word >>> (24 - bits - (bit & 7)) & max;
      samples[to++] = scale ? Math.round(value * 255 / max) : value;
    }
  }
  return samples;
}
