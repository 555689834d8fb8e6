/**
 * From biased packed sums to RGBA bytes: the end of the resampler.
 *
 * Colour conversion happens here, on output pixels only, because a linear filter commutes with the
 * linear YCbCr matrix.
 *
 * @module
 */

import { CLAMPED, HEADROOM } from "./packed_lanes.ts";
import type { LaneSpace } from "./strip.ts";
import type { SumRow } from "./sum_row.ts";

/** Writes one opaque row of `width` pixels into `out` (bytes R, G, B, A) from index `at`. */
export function writeColors(
  space: LaneSpace,
  row: SumRow,
  target: { readonly out: Uint32Array; readonly at: number; readonly width: number },
): void {
  const { out, at, width } = target;
  if (space === "ycc") writeYcc(row.halves, out, { at, width });
  else if (space === "rgb") writeRgb(row.halves, out, { at, width });
  else writeGray(row.halves, out, { at, width });
}

// V8 takes a constant of the same module as one, and loads an imported one each time.
const CLAMP = CLAMPED;

interface Span {
  readonly at: number;
  readonly width: number;
}

function writeRgb(halves: Int32Array, out: Uint32Array, { at, width }: Span): void {
  for (let x = 0; x < width; x++) {
    const low = halves[2 * x];
    const high = halves[2 * x + 1];
    out[at + x] = 0xff000000 | (CLAMP[(high >>> 9) & 1023] << 16) |
      (CLAMP[(low >>> 24) | ((high & 3) << 8)] << 8) | CLAMP[(low >>> 7) & 1023];
  }
}

function writeGray(halves: Int32Array, out: Uint32Array, { at, width }: Span): void {
  for (let x = 0; x < width; x++) {
    out[at + x] = 0xff000000 | (CLAMP[(halves[2 * x] >>> 7) & 1023] * 0x010101);
  }
}

/** Fraction bits of what chroma adds to green. */
const GREEN_BITS = 5;
/** What red, green and blue are offset by, so that indexes of the clamp table are never negative. */
const RGB_OFFSET = 1024;

/**
 * What either chroma sample (with headroom) adds, JFIF 1.02 (ITU-T T.871 section 7), full-range
 * BT.601: to red or blue in the upper 16 bits, to green in the lower, as a fraction. Samples are
 * not clamped before: what the filter overshoots may cancel out in R, G and B.
 */
const CB_PARTS = new Int32Array(1024);
const CR_PARTS = new Int32Array(1024);
/** A sum of parts and a luma sample (with headroom), to the sample 0–255. */
const CLAMPED_RGB = new Uint8Array(4096);
for (let i = 0; i < 1024; i++) {
  const chroma = i - HEADROOM - 128;
  const green = (share: number) =>
    Math.round((RGB_OFFSET / 2 - share * chroma) * 2 ** GREEN_BITS + 2 ** GREEN_BITS / 4);
  CB_PARTS[i] = ((RGB_OFFSET + Math.round(1.772 * chroma)) << 16) + green(0.344136);
  CR_PARTS[i] = ((RGB_OFFSET + Math.round(1.402 * chroma)) << 16) + green(0.714136);
}
for (let i = 0; i < CLAMPED_RGB.length; i++) {
  CLAMPED_RGB[i] = Math.min(255, Math.max(0, i - RGB_OFFSET - HEADROOM));
}

function writeYcc(halves: Int32Array, out: Uint32Array, { at, width }: Span): void {
  for (let x = 0; x < width; x++) {
    const low = halves[2 * x];
    const high = halves[2 * x + 1];
    const luma = (low >>> 7) & 1023;
    const cb = CB_PARTS[(low >>> 24) | ((high & 3) << 8)];
    const cr = CR_PARTS[(high >>> 9) & 1023];
    out[at + x] = 0xff000000 | (CLAMPED_RGB[(luma + (cb >>> 16)) & 4095] << 16) |
      (CLAMPED_RGB[(luma + (((cb + cr) & 0xffff) >>> GREEN_BITS)) & 4095] << 8) |
      CLAMPED_RGB[(luma + (cr >>> 16)) & 4095];
  }
}

/**
 * Writes one row with transparency: premultiplied sums divided by their alpha.
 *
 * The division takes both as the filter left them, overshoot included: it is the same in colour and
 * alpha and cancels out. Clamped before, it would show as a bright or dark rim.
 *
 * @param space `rgb` or `gray`: sources in YCbCr have no alpha here.
 */
export function writeTransparent(
  space: LaneSpace,
  rows: { readonly color: SumRow; readonly alpha: SumRow },
  target: { readonly bytes: Uint8Array; readonly at: number; readonly width: number },
): void {
  const { bytes, width } = target;
  const { halves } = rows.color;
  const alphas = rows.alpha.halves;
  const gray = space === "gray";
  for (let x = 0, p = target.at * 4; x < width; x++, p += 4) {
    const alpha = ((alphas[2 * x] >>> 7) & 1023) - HEADROOM;
    if (alpha <= 0) {
      bytes[p] =
        bytes[p + 1] =
        bytes[p + 2] =
        bytes[p + 3] =
          0;
      continue;
    }
    const low = halves[2 * x];
    const high = halves[2 * x + 1];
    const scale = 255 / alpha;
    const c0 = toSample((((low >>> 7) & 1023) - HEADROOM) * scale);
    bytes[p] = c0;
    bytes[p + 1] = gray ? c0 : toSample((((low >>> 24) | ((high & 3) << 8)) - HEADROOM) * scale);
    bytes[p + 2] = gray ? c0 : toSample((((high >>> 9) & 1023) - HEADROOM) * scale);
    bytes[p + 3] = alpha > 255 ? 255 : alpha;
  }
}

function toSample(value: number): number {
  return value <= 0 ? 0 : value >= 255 ? 255 : (value + 0.5) | 0;
}
