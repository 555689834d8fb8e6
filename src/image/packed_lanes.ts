/**
 * Packing the three lanes of a pixel (see `strip.ts`), and reading them back without a division.
 *
 * A packed sum stays below 2^51. Adding 2^52 fixes the exponent of the float64, so its mantissa is
 * the sum itself and the lanes can be cut from the two 32-bit halves by shifts. Typed arrays are
 * little-endian on every platform Deno runs on: the low half comes first.
 *
 * @module
 */

import { WEIGHT_ONE } from "./filter_taps.ts";
import { LANE1, LANE2 } from "./strip.ts";

const MANTISSA = 2 ** 52;

/**
 * Filters undershoot, so between the passes and after them a lane holds its sample plus this. With
 * weights whose magnitudes add up to at most 1.6, both passes stay between 0 and 1023.
 */
export const HEADROOM = 256;

const ONE_IN_EACH_LANE = 1 + LANE1 + LANE2;

/** Added to a weighted sum of plain samples: rounding, headroom and the exponent. */
export const SAMPLE_BIAS = (HEADROOM * WEIGHT_ONE + WEIGHT_ONE / 2) * ONE_IN_EACH_LANE + MANTISSA;

/** Added to a weighted sum of samples that have headroom already. */
export const RAISED_BIAS = (WEIGHT_ONE / 2) * ONE_IN_EACH_LANE + MANTISSA;

/** Added to a plain (unweighted) sum of packed pixels so that its lanes can be read. */
export const PLAIN_BIAS = MANTISSA;

/** A sample with headroom (a biased lane `>>> 7`, 0–1023) to the clamped sample 0–255. */
export const CLAMPED = new Uint8Array(1024);
for (let i = 0; i < 1024; i++) {
  CLAMPED[i] = Math.min(255, Math.max(0, i - HEADROOM));
}

// Not the imported name: V8 takes a constant of the same module as one, and loads an imported one.
const TOP_LANE = LANE2;

/** Packs three samples 0–255. Shifts and one product cost less than loads from tables. */
export function packLanes(c0: number, c1: number, c2: number): number {
  return (c0 | (c1 << 17)) + c2 * TOP_LANE;
}
