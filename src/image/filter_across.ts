/**
 * The second pass of the resampler: rows of packed pixels (see `strip.ts`) filtered across, two at a
 * time. They share the weights, and a weight that is loaded once less saves its bounds check too.
 *
 * Tap counts up to 12 have loops of their own: they cover every ratio up to 2 with Lanczos.
 *
 * @module
 */

import type { FilterTaps } from "./filter_taps.ts";
import { RAISED_BIAS } from "./packed_lanes.ts";
import type { SumRow } from "./sum_row.ts";

// V8 takes a constant of the same module as one, and loads an imported one each time.
const BIAS = RAISED_BIAS;

/** Two rows of packed pixels with headroom: the second one begins at index `step`. */
export interface RowPair {
  readonly pixels: Float64Array;
  readonly step: number;
}

/** Filters two rows across into biased sums of `taps.starts.length` pixels each. */
export function filterAcross(
  rows: RowPair,
  taps: FilterTaps,
  sums: readonly [SumRow, SumRow],
): void {
  const [{ sums: a }, { sums: b }] = sums;
  if (taps.count === 4) across4(rows, taps, a, b);
  else if (taps.count === 6) across6(rows, taps, a, b);
  else if (taps.count === 8) across8(rows, taps, a, b);
  else if (taps.count === 10) across10(rows, taps, a, b);
  else if (taps.count === 12) across12(rows, taps, a, b);
  else acrossMany(rows, taps, a, b);
}

function across4(rows: RowPair, taps: FilterTaps, a: Float64Array, b: Float64Array): void {
  const { pixels: s, step } = rows;
  const { starts, weights: w } = taps;
  for (let x = 0, k = 0; x < starts.length; x++, k += 4) {
    const p = starts[x];
    const q = p + step;
    const w0 = w[k], w1 = w[k + 1], w2 = w[k + 2], w3 = w[k + 3];
    a[x] = BIAS + (w0 * s[p] + w1 * s[p + 1]) + (w2 * s[p + 2] + w3 * s[p + 3]);
    b[x] = BIAS + (w0 * s[q] + w1 * s[q + 1]) + (w2 * s[q + 2] + w3 * s[q + 3]);
  }
}

function across6(rows: RowPair, taps: FilterTaps, a: Float64Array, b: Float64Array): void {
  const { pixels: s, step } = rows;
  const { starts, weights: w } = taps;
  for (let x = 0, k = 0; x < starts.length; x++, k += 6) {
    const p = starts[x];
    const q = p + step;
    const w0 = w[k], w1 = w[k + 1], w2 = w[k + 2], w3 = w[k + 3], w4 = w[k + 4], w5 = w[k + 5];
    a[x] = BIAS + (w0 * s[p] + w1 * s[p + 1]) + (w2 * s[p + 2] + w3 * s[p + 3]) +
      (w4 * s[p + 4] + w5 * s[p + 5]);
    b[x] = BIAS + (w0 * s[q] + w1 * s[q + 1]) + (w2 * s[q + 2] + w3 * s[q + 3]) +
      (w4 * s[q + 4] + w5 * s[q + 5]);
  }
}

function across8(rows: RowPair, taps: FilterTaps, a: Float64Array, b: Float64Array): void {
  const { pixels: s, step } = rows;
  const { starts, weights: w } = taps;
  for (let x = 0, k = 0; x < starts.length; x++, k += 8) {
    const p = starts[x];
    const q = p + step;
    const w0 = w[k], w1 = w[k + 1], w2 = w[k + 2], w3 = w[k + 3];
    const w4 = w[k + 4], w5 = w[k + 5], w6 = w[k + 6], w7 = w[k + 7];
    a[x] = BIAS + (w0 * s[p] + w1 * s[p + 1]) + (w2 * s[p + 2] + w3 * s[p + 3]) +
      (w4 * s[p + 4] + w5 * s[p + 5]) + (w6 * s[p + 6] + w7 * s[p + 7]);
    b[x] = BIAS + (w0 * s[q] + w1 * s[q + 1]) + (w2 * s[q + 2] + w3 * s[q + 3]) +
      (w4 * s[q + 4] + w5 * s[q + 5]) + (w6 * s[q + 6] + w7 * s[q + 7]);
  }
}

function across10(rows: RowPair, taps: FilterTaps, a: Float64Array, b: Float64Array): void {
  const { pixels: s, step } = rows;
  const { starts, weights: w } = taps;
  for (let x = 0, k = 0; x < starts.length; x++, k += 10) {
    const p = starts[x];
    const q = p + step;
    const w0 = w[k], w1 = w[k + 1], w2 = w[k + 2], w3 = w[k + 3];
    const w4 = w[k + 4], w5 = w[k + 5], w6 = w[k + 6], w7 = w[k + 7];
    const w8 = w[k + 8], w9 = w[k + 9];
    a[x] = BIAS + (w0 * s[p] + w1 * s[p + 1]) + (w2 * s[p + 2] + w3 * s[p + 3]) +
      (w4 * s[p + 4] + w5 * s[p + 5]) + (w6 * s[p + 6] + w7 * s[p + 7]) +
      (w8 * s[p + 8] + w9 * s[p + 9]);
    b[x] = BIAS + (w0 * s[q] + w1 * s[q + 1]) + (w2 * s[q + 2] + w3 * s[q + 3]) +
      (w4 * s[q + 4] + w5 * s[q + 5]) + (w6 * s[q + 6] + w7 * s[q + 7]) +
      (w8 * s[q + 8] + w9 * s[q + 9]);
  }
}

function across12(rows: RowPair, taps: FilterTaps, a: Float64Array, b: Float64Array): void {
  const { pixels: s, step } = rows;
  const { starts, weights: w } = taps;
  for (let x = 0, k = 0; x < starts.length; x++, k += 12) {
    const p = starts[x];
    const q = p + step;
    const w0 = w[k], w1 = w[k + 1], w2 = w[k + 2], w3 = w[k + 3];
    const w4 = w[k + 4], w5 = w[k + 5], w6 = w[k + 6], w7 = w[k + 7];
    const w8 = w[k + 8], w9 = w[k + 9], w10 = w[k + 10], w11 = w[k + 11];
    a[x] = BIAS + (w0 * s[p] + w1 * s[p + 1]) + (w2 * s[p + 2] + w3 * s[p + 3]) +
      (w4 * s[p + 4] + w5 * s[p + 5]) + (w6 * s[p + 6] + w7 * s[p + 7]) +
      (w8 * s[p + 8] + w9 * s[p + 9]) + (w10 * s[p + 10] + w11 * s[p + 11]);
    b[x] = BIAS + (w0 * s[q] + w1 * s[q + 1]) + (w2 * s[q + 2] + w3 * s[q + 3]) +
      (w4 * s[q + 4] + w5 * s[q + 5]) + (w6 * s[q + 6] + w7 * s[q + 7]) +
      (w8 * s[q + 8] + w9 * s[q + 9]) + (w10 * s[q + 10] + w11 * s[q + 11]);
  }
}

/** Twelve taps, then two at a time. */
function acrossMany(rows: RowPair, taps: FilterTaps, a: Float64Array, b: Float64Array): void {
  const { pixels: s, step } = rows;
  const { starts, weights: w, count } = taps;
  for (let x = 0, k = 0; x < starts.length; x++) {
    let p = starts[x];
    let q = p + step;
    const end = k + count;
    const w0 = w[k], w1 = w[k + 1], w2 = w[k + 2], w3 = w[k + 3];
    const w4 = w[k + 4], w5 = w[k + 5], w6 = w[k + 6], w7 = w[k + 7];
    const w8 = w[k + 8], w9 = w[k + 9], w10 = w[k + 10], w11 = w[k + 11];
    let first = BIAS + (w0 * s[p] + w1 * s[p + 1]) + (w2 * s[p + 2] + w3 * s[p + 3]) +
      (w4 * s[p + 4] + w5 * s[p + 5]) + (w6 * s[p + 6] + w7 * s[p + 7]) +
      (w8 * s[p + 8] + w9 * s[p + 9]) + (w10 * s[p + 10] + w11 * s[p + 11]);
    let second = BIAS + (w0 * s[q] + w1 * s[q + 1]) + (w2 * s[q + 2] + w3 * s[q + 3]) +
      (w4 * s[q + 4] + w5 * s[q + 5]) + (w6 * s[q + 6] + w7 * s[q + 7]) +
      (w8 * s[q + 8] + w9 * s[q + 9]) + (w10 * s[q + 10] + w11 * s[q + 11]);
    for (k += 12, p += 12, q += 12; k < end; k += 2, p += 2, q += 2) {
      const even = w[k], odd = w[k + 1];
      first += even * s[p] + odd * s[p + 1];
      second += even * s[q] + odd * s[q + 1];
    }
    a[x] = first;
    b[x] = second;
  }
}
