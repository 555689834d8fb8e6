/**
 * The first pass of the resampler: rows of packed pixels (see `strip.ts`) filtered down, two output
 * rows at a time. They share most source rows, and a sample that is loaded once less saves its
 * bounds check too.
 *
 * The loops are unrolled, weights being in locals: several times as fast as the general form.
 *
 * @module
 */

import type { FilterTaps } from "./filter_taps.ts";
import { SAMPLE_BIAS } from "./packed_lanes.ts";
import type { SumRow } from "./sum_row.ts";

// V8 takes a constant of the same module as one, and loads an imported one each time.
const BIAS = SAMPLE_BIAS;

/** The source rows that output rows are made of, kept in a ring. */
export interface RowRing {
  /** `capacity` rows of `width` packed pixels; row y of the source lies in slot `y % capacity`. */
  readonly rows: Float64Array;
  readonly width: number;
  readonly capacity: number;
}

/** Most source rows of one step of a filter. */
const STEP_ROWS = 8;

/** Where the source rows of a pair lie in the ring, and their weights in either output row. */
interface PairTaps {
  readonly offsets: Int32Array;
  readonly first: Float64Array;
  readonly second: Float64Array;
}

/**
 * How many source rows the pair of output rows `y` and `y + 1` needs; after the last row comes the
 * last row again.
 */
export function countPairRows(taps: FilterTaps, y: number): number {
  const { starts, count } = taps;
  return starts[Math.min(y + 1, starts.length - 1)] - starts[y] + count;
}

/** How many source rows any pair of output rows needs: as many as a ring must hold. */
export function countMostPairRows(taps: FilterTaps): number {
  let most = 0;
  for (let y = 0; y < taps.starts.length; y += 2) most = Math.max(most, countPairRows(taps, y));
  return most;
}

/** Filters pairs of output rows down, through taps that were made for the rows of a ring. */
export class DownFilter {
  readonly #taps: FilterTaps;
  readonly #pair: PairTaps;

  constructor(taps: FilterTaps) {
    this.#taps = taps;
    const length = countMostPairRows(taps) + STEP_ROWS;
    this.#pair = {
      offsets: new Int32Array(length),
      first: new Float64Array(length),
      second: new Float64Array(length),
    };
  }

  /**
   * Filters output rows `y` and `y + 1` (or `y` twice, when it is the last) into biased sums. The
   * ring must hold all rows of their taps.
   */
  filter(ring: RowRing, y: number, sums: readonly [SumRow, SumRow]): void {
    const pair = this.#pair;
    const rows = this.#load(ring, y);
    const [{ sums: a }, { sums: b }] = sums;
    let j: number;
    if (rows > 6) {
      start8(ring, pair, a, b);
      j = 8;
    } else if (rows > 4) {
      start6(ring, pair, a, b);
      j = 6;
    } else {
      start4(ring, pair, a, b);
      j = 4;
    }
    for (; rows - j > 4; j += 8) add8(ring, pair, { from: j, a, b });
    if (rows - j > 2) add4(ring, pair, { from: j, a, b });
    else if (rows > j) add2(ring, pair, { from: j, a, b });
  }

  /** Sets the pair up, padded with rows of weight 0 for the last step. */
  #load({ width, capacity }: RowRing, y: number): number {
    const { starts, weights, count } = this.#taps;
    const { offsets, first, second } = this.#pair;
    const other = Math.min(y + 1, starts.length - 1);
    const shift = starts[other] - starts[y];
    const rows = shift + count;
    first.fill(0);
    second.fill(0);
    first.set(weights.subarray(y * count, (y + 1) * count));
    second.set(weights.subarray(other * count, (other + 1) * count), shift);
    let slot = starts[y] % capacity;
    for (let j = 0; j < offsets.length; j++) {
      offsets[j] = slot * width;
      if (++slot === capacity) slot = 0;
    }
    return rows;
  }
}

function start4(ring: RowRing, pair: PairTaps, a: Float64Array, b: Float64Array): void {
  const { rows: m, width } = ring;
  const [r0, r1, r2, r3] = pair.offsets;
  const [v0, v1, v2, v3] = pair.first;
  const [w0, w1, w2, w3] = pair.second;
  for (let x = 0; x < width; x++) {
    const s0 = m[r0 + x], s1 = m[r1 + x], s2 = m[r2 + x], s3 = m[r3 + x];
    a[x] = BIAS + (v0 * s0 + v1 * s1) + (v2 * s2 + v3 * s3);
    b[x] = BIAS + (w0 * s0 + w1 * s1) + (w2 * s2 + w3 * s3);
  }
}

function start6(ring: RowRing, pair: PairTaps, a: Float64Array, b: Float64Array): void {
  const { rows: m, width } = ring;
  const [r0, r1, r2, r3, r4, r5] = pair.offsets;
  const [v0, v1, v2, v3, v4, v5] = pair.first;
  const [w0, w1, w2, w3, w4, w5] = pair.second;
  for (let x = 0; x < width; x++) {
    const s0 = m[r0 + x], s1 = m[r1 + x], s2 = m[r2 + x], s3 = m[r3 + x];
    const s4 = m[r4 + x], s5 = m[r5 + x];
    a[x] = BIAS + (v0 * s0 + v1 * s1) + (v2 * s2 + v3 * s3) + (v4 * s4 + v5 * s5);
    b[x] = BIAS + (w0 * s0 + w1 * s1) + (w2 * s2 + w3 * s3) + (w4 * s4 + w5 * s5);
  }
}

function start8(ring: RowRing, pair: PairTaps, a: Float64Array, b: Float64Array): void {
  const { rows: m, width } = ring;
  const [r0, r1, r2, r3, r4, r5, r6, r7] = pair.offsets;
  const [v0, v1, v2, v3, v4, v5, v6, v7] = pair.first;
  const [w0, w1, w2, w3, w4, w5, w6, w7] = pair.second;
  for (let x = 0; x < width; x++) {
    const s0 = m[r0 + x], s1 = m[r1 + x], s2 = m[r2 + x], s3 = m[r3 + x];
    const s4 = m[r4 + x], s5 = m[r5 + x], s6 = m[r6 + x], s7 = m[r7 + x];
    a[x] = BIAS + ((v0 * s0 + v1 * s1) + (v2 * s2 + v3 * s3)) +
      ((v4 * s4 + v5 * s5) + (v6 * s6 + v7 * s7));
    b[x] = BIAS + ((w0 * s0 + w1 * s1) + (w2 * s2 + w3 * s3)) +
      ((w4 * s4 + w5 * s5) + (w6 * s6 + w7 * s7));
  }
}

interface MoreRows {
  readonly from: number;
  readonly a: Float64Array;
  readonly b: Float64Array;
}

function add2(ring: RowRing, pair: PairTaps, { from: j, a, b }: MoreRows): void {
  const { rows: m, width } = ring;
  const { offsets: r, first: v, second: w } = pair;
  const r0 = r[j], r1 = r[j + 1];
  const v0 = v[j], v1 = v[j + 1];
  const w0 = w[j], w1 = w[j + 1];
  for (let x = 0; x < width; x++) {
    const s0 = m[r0 + x], s1 = m[r1 + x];
    a[x] += v0 * s0 + v1 * s1;
    b[x] += w0 * s0 + w1 * s1;
  }
}

function add4(ring: RowRing, pair: PairTaps, { from: j, a, b }: MoreRows): void {
  const { rows: m, width } = ring;
  const { offsets: r, first: v, second: w } = pair;
  const r0 = r[j], r1 = r[j + 1], r2 = r[j + 2], r3 = r[j + 3];
  const v0 = v[j], v1 = v[j + 1], v2 = v[j + 2], v3 = v[j + 3];
  const w0 = w[j], w1 = w[j + 1], w2 = w[j + 2], w3 = w[j + 3];
  for (let x = 0; x < width; x++) {
    const s0 = m[r0 + x], s1 = m[r1 + x], s2 = m[r2 + x], s3 = m[r3 + x];
    a[x] += (v0 * s0 + v1 * s1) + (v2 * s2 + v3 * s3);
    b[x] += (w0 * s0 + w1 * s1) + (w2 * s2 + w3 * s3);
  }
}

function add8(ring: RowRing, pair: PairTaps, { from: j, a, b }: MoreRows): void {
  const { rows: m, width } = ring;
  const [r0, r1, r2, r3, r4, r5, r6, r7] = pair.offsets.subarray(j, j + 8);
  const [v0, v1, v2, v3, v4, v5, v6, v7] = pair.first.subarray(j, j + 8);
  const [w0, w1, w2, w3, w4, w5, w6, w7] = pair.second.subarray(j, j + 8);
  for (let x = 0; x < width; x++) {
    const s0 = m[r0 + x], s1 = m[r1 + x], s2 = m[r2 + x], s3 = m[r3 + x];
    const s4 = m[r4 + x], s5 = m[r5 + x], s6 = m[r6 + x], s7 = m[r7 + x];
    a[x] += ((v0 * s0 + v1 * s1) + (v2 * s2 + v3 * s3)) +
      ((v4 * s4 + v5 * s5) + (v6 * s6 + v7 * s7));
    b[x] += ((w0 * s0 + w1 * s1) + (w2 * s2 + w3 * s3)) +
      ((w4 * s4 + w5 * s5) + (w6 * s6 + w7 * s7));
  }
}
