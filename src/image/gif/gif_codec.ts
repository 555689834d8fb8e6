/**
 * GIF behind the pipeline's port: the first frame, composed on its canvas (GIF89a).
 *
 * What the frame does not cover is transparent, as in browsers; the background colour of the screen
 * is not drawn. Memory: one byte for each pixel of the frame.
 *
 * @module
 */

import { hasText, u16le } from "../../core/image_header/byte_order.ts";
import { AppError } from "../../errors.ts";
import type { ImageDecoder } from "../pipeline.ts";
import { writeRowStrips } from "../row_strips.ts";
import { decodeLzw } from "./decode_lzw.ts";

/** Most pixels of a frame; it may be larger than its canvas. */
const MAX_FRAME_PIXELS = 50_000_000;
/** Most blocks before the first frame. */
const MAX_BLOCKS = 10_000;
/** First row and step of the four interlace passes (GIF89a, appendix E). */
const PASSES = [[0, 8], [4, 8], [2, 4], [1, 2]] as const;

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly interlaced: boolean;
  /** R, G, B for each index; indices past its end are black. */
  readonly colors: Uint8Array;
  /** Index that is transparent, or -1. */
  readonly transparent: number;
  /** Position of the minimum code size. */
  readonly dataAt: number;
}

/** Decodes the first frame of a GIF. */
export const GIF_DECODER: ImageDecoder = {
  formats: ["gif"],
  traits: { scales: [1], crops: false },
  decode(bytes, { width, height }, { sink }) {
    const frame = findFirstFrame(bytes);
    const indices = decodeIndices(bytes, frame);
    const rowOf = frame.interlaced ? interlaceOrder(frame.height) : null;
    const lut = buildLookup(frame);
    const right = Math.min(width, frame.left + frame.width);
    const covered = frame.left === 0 && frame.top === 0 && right === width &&
      frame.height >= height;
    writeRowStrips({
      width,
      height,
      alpha: frame.transparent >= 0 || !covered,
      fillRow(y, row) {
        const pixels = new Uint32Array(row.buffer);
        pixels.fill(0);
        const line = y - frame.top;
        if (line < 0 || line >= frame.height) return;
        const from = (rowOf ? rowOf[line] : line) * frame.width - frame.left;
        for (let x = frame.left; x < right; x++) pixels[x] = lut[indices[from + x]];
      },
    }, sink);
  },
};

function findFirstFrame(bytes: Uint8Array): Frame {
  if (!hasText(bytes, 0, "GIF8")) throw broken("The GIF has no header");
  const flags = bytes[10];
  let at = 13;
  const globalColors = colorTable(bytes, at, flags);
  at += globalColors.length;
  let transparent = -1;
  for (let blocks = 0; blocks < MAX_BLOCKS && at < bytes.length; blocks++) {
    if (bytes[at] === 0x2c) return readFrame(bytes, at, { globalColors, transparent });
    if (bytes[at] !== 0x21) break;
    if (bytes[at + 1] === 0xf9 && bytes[at + 2] >= 4) {
      transparent = (bytes[at + 3] & 1) === 1 ? bytes[at + 6] : -1;
    }
    for (at += 2; at < bytes.length && bytes[at] !== 0;) at += 1 + bytes[at];
    at++;
  }
  throw broken("The GIF has no frame");
}

function readFrame(
  bytes: Uint8Array,
  at: number,
  screen: { globalColors: Uint8Array; transparent: number },
): Frame {
  const flags = bytes[at + 9];
  const local = colorTable(bytes, at + 10, flags);
  return {
    left: u16le(bytes, at + 1),
    top: u16le(bytes, at + 3),
    width: u16le(bytes, at + 5),
    height: u16le(bytes, at + 7),
    interlaced: (flags & 0x40) !== 0,
    colors: local.length > 0 ? local : screen.globalColors,
    transparent: screen.transparent,
    dataAt: at + 10 + local.length,
  };
}

function colorTable(bytes: Uint8Array, at: number, flags: number): Uint8Array {
  const length = (flags & 0x80) === 0 ? 0 : 3 << ((flags & 7) + 1);
  return bytes.subarray(at, at + length);
}

function decodeIndices(bytes: Uint8Array, frame: Frame): Uint8Array {
  const count = frame.width * frame.height;
  if (count > MAX_FRAME_PIXELS) {
    throw new AppError("image_budget_exceeded", "The GIF has a frame of too many pixels");
  }
  const minCodeSize = bytes[frame.dataAt];
  if (!(minCodeSize >= 1 && minCodeSize <= 11)) throw broken("The GIF has an impossible code size");
  const indices = new Uint8Array(count);
  const decoded = decodeLzw({ bytes, from: frame.dataAt + 1, minCodeSize }, indices);
  if (decoded < 0) throw broken("The GIF has a broken frame");
  if (decoded < count) throw new AppError("image_truncated", "The GIF ends inside its first frame");
  return indices;
}

/** Which stored row holds each row of the picture. */
function interlaceOrder(height: number): Int32Array {
  const order = new Int32Array(height);
  let stored = 0;
  for (const [first, step] of PASSES) {
    for (let y = first; y < height; y += step) order[y] = stored++;
  }
  return order;
}

/** R, G, B, A in one little-endian word for each index. */
function buildLookup({ colors, transparent }: Frame): Uint32Array {
  const lut = new Uint32Array(256).fill(0xff000000);
  for (let i = 0; i * 3 + 2 < colors.length; i++) {
    lut[i] = (colors[i * 3] | colors[i * 3 + 1] << 8 | colors[i * 3 + 2] << 16 | 0xff000000) >>> 0;
  }
  if (transparent >= 0) lut[transparent] = 0;
  return lut;
}

function broken(detail: string): AppError {
  return new AppError("image_undecodable", detail);
}
