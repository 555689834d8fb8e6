/**
 * Reading the three lanes of a packed pixel (see `strip.ts`) back without a division.
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

/** Keeps lanes positive where a filter undershoots: 256 whole sample values. */
const HEADROOM = 256;

/**
 * Added to every weighted sum: rounding by half a weight, headroom against undershoot in each lane
 * and the exponent. `lane >>> 7` then is the sample plus {@linkcode HEADROOM}, in 0–1023.
 */
export const SUM_BIAS = (HEADROOM * WEIGHT_ONE + WEIGHT_ONE / 2) * (1 + LANE1 + LANE2) + MANTISSA;

/** Added to a plain (unweighted) sum of packed pixels so that its lanes can be read. */
export const PLAIN_BIAS = MANTISSA;

/** `lane >>> 7` of a biased sum to the clamped sample 0–255. */
export const CLAMPED = new Uint8Array(1024);
/** The same clamp, already shifted into lane 0, 1 and 2. */
export const CLAMPED_LANE0 = new Float64Array(1024);
export const CLAMPED_LANE1 = new Float64Array(1024);
export const CLAMPED_LANE2 = new Float64Array(1024);
for (let i = 0; i < 1024; i++) {
  const sample = Math.min(255, Math.max(0, i - HEADROOM));
  CLAMPED[i] = sample;
  CLAMPED_LANE0[i] = sample;
  CLAMPED_LANE1[i] = sample * LANE1;
  CLAMPED_LANE2[i] = sample * LANE2;
}

/** A sample 0–255 shifted into lane 1 and 2. */
export const SAMPLE_LANE1 = new Float64Array(256);
export const SAMPLE_LANE2 = new Float64Array(256);
for (let i = 0; i < 256; i++) {
  SAMPLE_LANE1[i] = i * LANE1;
  SAMPLE_LANE2[i] = i * LANE2;
}
