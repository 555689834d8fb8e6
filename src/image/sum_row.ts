/**
 * Rows of weighted sums of packed pixels (see `packed_lanes.ts`), between the passes of a filter.
 *
 * @module
 */

import { WEIGHT_ONE } from "./filter_taps.ts";
import { SAMPLE_BIAS } from "./packed_lanes.ts";

/** A row of biased sums, and the same memory as 32-bit halves. */
export class SumRow {
  readonly sums: Float64Array;
  readonly halves: Int32Array;

  constructor(width: number) {
    this.sums = new Float64Array(width);
    this.halves = new Int32Array(this.sums.buffer);
  }
}

// V8 takes a constant of the same module as one, and loads an imported one each time.
const BIAS = SAMPLE_BIAS;
const ONE = WEIGHT_ONE;

/** Makes biased sums of packed samples as they are, as a filter would whose one weight is whole. */
export function copySamples(samples: Float64Array, { sums }: SumRow): void {
  for (let x = 0; x < sums.length; x++) sums[x] = BIAS + ONE * samples[x];
}

const LOW_MASK = 0x3ff | (0xff << 17);
const HIGH_MASK = 3 | (0x3ff << 9);

/**
 * Turns biased sums of `width` pixels into packed pixels with headroom, from index `at` of `target`
 * on: the 7 bits of weight fall off each lane. Lane 1 lies across both halves.
 */
export function packSums(
  { halves }: SumRow,
  width: number,
  { target, at }: { target: Float64Array; at: number },
): void {
  for (let x = 0; x < width; x++) {
    target[at + x] = ((halves[2 * x] >>> 7) & LOW_MASK) +
      (halves[2 * x + 1] & HIGH_MASK) * 2 ** 25;
  }
}
