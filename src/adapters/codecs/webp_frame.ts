/**
 * The first frame of a WebP file as a still one (RFC 9649 section 2.7).
 *
 * @module
 */

import type { ImageFacts } from "../../core/image_facts.ts";
import { latin1, u24le, u32le } from "../../core/image_header/byte_order.ts";
import { AppError } from "../../errors.ts";

/** A still WebP and where it lies on the canvas. */
export interface WebpFrame {
  readonly still: Uint8Array;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Most chunks before the first frame. */
const MAX_CHUNKS = 20_000;
/** Position, size, duration and flags before the frame's own chunks. */
const FRAME_HEADER_BYTES = 16;

/**
 * Finds the first frame of an animation and wraps it as a still file; a still file is its own frame.
 *
 * @throws {AppError} `image_undecodable` when the frame is broken or leaves the canvas.
 */
export function firstWebpFrame(
  bytes: Uint8Array,
  facts: Pick<ImageFacts, "width" | "height">,
): WebpFrame {
  const whole = { still: bytes, left: 0, top: 0, width: facts.width, height: facts.height };
  const animated = latin1(bytes, 12, 4) === "VP8X" && (bytes[20] & 2) !== 0;
  if (!animated) return whole;
  let at = 12;
  for (let chunks = 0; chunks < MAX_CHUNKS && at + 8 <= bytes.length; chunks++) {
    const length = u32le(bytes, at + 4);
    const data = bytes.subarray(at + 8, at + 8 + length);
    if (latin1(bytes, at, 4) === "ANMF" && data.length > FRAME_HEADER_BYTES) {
      return toStill(data, facts);
    }
    at += 8 + length + (length & 1);
  }
  throw new AppError("image_undecodable", "The animated WebP has no frame");
}

function toStill(data: Uint8Array, canvas: Pick<ImageFacts, "width" | "height">): WebpFrame {
  const left = u24le(data, 0) * 2;
  const top = u24le(data, 3) * 2;
  const width = u24le(data, 6) + 1;
  const height = u24le(data, 9) + 1;
  if (left + width > canvas.width || top + height > canvas.height) {
    throw new AppError("image_undecodable", "The WebP has a frame outside its canvas");
  }
  const chunks = data.subarray(FRAME_HEADER_BYTES);
  const alpha = latin1(chunks, 0, 4) === "ALPH";
  const head = new Uint8Array(alpha ? 30 : 12);
  const view = new DataView(head.buffer);
  head.set([0x52, 0x49, 0x46, 0x46]);
  view.setUint32(4, head.length - 8 + chunks.length, true);
  head.set([0x57, 0x45, 0x42, 0x50], 8);
  if (alpha) {
    head.set([0x56, 0x50, 0x38, 0x58, 10, 0, 0, 0, 0x10], 12);
    head.set(data.subarray(6, 12), 24);
  }
  const still = new Uint8Array(head.length + chunks.length);
  still.set(head);
  still.set(chunks, head.length);
  return { still, left, top, width, height };
}

/** Lays a frame on a transparent canvas; a frame that fills it is passed through. */
export function placeOnCanvas(
  pixels: Uint8Array | Uint8ClampedArray,
  frame: { left: number; top: number; width: number; height: number },
  canvas: { width: number; height: number },
): Uint8Array | Uint8ClampedArray {
  if (frame.width === canvas.width && frame.height === canvas.height) return pixels;
  const placed = new Uint8Array(canvas.width * canvas.height * 4);
  for (let y = 0; y < frame.height; y++) {
    const row = pixels.subarray(y * frame.width * 4, (y + 1) * frame.width * 4);
    placed.set(row, ((frame.top + y) * canvas.width + frame.left) * 4);
  }
  return placed;
}
