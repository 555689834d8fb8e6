/**
 * Whole pictures as strips: for decoders that hand over all pixels at once.
 *
 * @module
 */

import { packLanes } from "./packed_lanes.ts";
import type { StripSink } from "./strip.ts";

/** Pixels as bytes R, G, B, A, row-major without padding. */
export interface RgbaSource {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array | Uint8ClampedArray;
  /** Whether colour is multiplied by alpha already. Default: it is not. */
  readonly premultiplied?: boolean;
}

/** Packed pixels per strip, about; at least one row. */
const STRIP_PIXELS = 16_384;

/** Writes all rows of a picture into `sink`, until it needs no more. */
export function writeRgbaStrips(source: RgbaSource, sink: StripSink): void {
  const { width, height } = source;
  const pixels = toWords(source.pixels, width * height);
  const alpha = hasTransparency(pixels);
  sink.begin({ width, height, space: "rgb", alpha });
  const stripRows = Math.max(1, Math.min(height, Math.floor(STRIP_PIXELS / width)));
  const color = new Float64Array(stripRows * width);
  const alphas = alpha ? new Uint8Array(stripRows * width) : null;
  for (let y = 0; y < height; y += stripRows) {
    const rows = Math.min(stripRows, height - y);
    const part = pixels.subarray(y * width, (y + rows) * width);
    if (alphas === null) packOpaque(part, color);
    else packAlpha(part, { color, alphas, premultiplied: source.premultiplied ?? false });
    if (!sink.write({ y, rows, color, alpha: alphas })) return;
  }
}

function toWords(bytes: Uint8Array | Uint8ClampedArray, count: number): Uint32Array {
  if (bytes.byteOffset % 4 === 0) return new Uint32Array(bytes.buffer, bytes.byteOffset, count);
  return new Uint32Array(bytes.slice().buffer, 0, count);
}

function hasTransparency(pixels: Uint32Array): boolean {
  for (let i = 0; i < pixels.length; i++) {
    if (pixels[i] < 0xff000000) return true;
  }
  return false;
}

function packOpaque(pixels: Uint32Array, color: Float64Array): void {
  for (let i = 0; i < pixels.length; i++) {
    const word = pixels[i];
    color[i] = packLanes(word & 255, (word >>> 8) & 255, (word >>> 16) & 255);
  }
}

function packAlpha(
  pixels: Uint32Array,
  target: { color: Float64Array; alphas: Uint8Array; premultiplied: boolean },
): void {
  const { color, alphas, premultiplied } = target;
  for (let i = 0; i < pixels.length; i++) {
    const word = pixels[i];
    const alpha = word >>> 24;
    // Alpha 0–255 to a factor in 16 bits: 257 * 255 = 65535.
    const factor = premultiplied ? 65535 : alpha * 257;
    alphas[i] = alpha;
    color[i] = packLanes(
      ((word & 255) * factor + 32896) >>> 16,
      (((word >>> 8) & 255) * factor + 32896) >>> 16,
      (((word >>> 16) & 255) * factor + 32896) >>> 16,
    );
  }
}
