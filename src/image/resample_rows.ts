/**
 * The inner loops of the resampler: one row at a time over packed pixels (see `strip.ts`).
 *
 * Tap counts up to 12 have loops of their own: fixed weights in locals and no inner loop are three
 * times as fast as the general form, and they cover every ratio up to 2 with Lanczos.
 *
 * @module
 */

import type { FilterTaps } from "./filter_taps.ts";
import {
  RAISED_BIAS,
  RAISED_LANE0,
  RAISED_LANE1,
  RAISED_LANE2,
  SAMPLE_BIAS,
} from "./packed_lanes.ts";

/** A row of biased sums, and the same memory as 32-bit halves. */
export class SumRow {
  readonly sums: Float64Array;
  readonly halves: Int32Array;

  constructor(width: number) {
    this.sums = new Float64Array(width);
    this.halves = new Int32Array(this.sums.buffer);
  }
}

/** Where a source row lies and where its filtered row goes. */
export interface RowJob {
  readonly source: Float64Array;
  sourceAt: number;
  readonly target: Float64Array;
  targetAt: number;
}

/** Filters one row across: `taps.starts.length` packed pixels, with headroom, into `job.target`. */
export function filterAcross(job: RowJob, taps: FilterTaps, row: SumRow): void {
  if (taps.count === 4) sum4(job, taps, row.sums);
  else if (taps.count === 6) sum6(job, taps, row.sums);
  else if (taps.count === 8) sum8(job, taps, row.sums);
  else if (taps.count === 10) sum10(job, taps, row.sums);
  else if (taps.count === 12) sum12(job, taps, row.sums);
  else sumMany(job, taps, row.sums);
  packSums(row, taps.starts.length, job);
}

function sum4({ source: s, sourceAt }: RowJob, taps: FilterTaps, out: Float64Array): void {
  const { starts, weights: w } = taps;
  for (let x = 0, k = 0; x < starts.length; x++, k += 4) {
    const p = sourceAt + starts[x];
    out[x] = SAMPLE_BIAS + (w[k] * s[p] + w[k + 1] * s[p + 1]) +
      (w[k + 2] * s[p + 2] + w[k + 3] * s[p + 3]);
  }
}

function sum6({ source: s, sourceAt }: RowJob, taps: FilterTaps, out: Float64Array): void {
  const { starts, weights: w } = taps;
  for (let x = 0, k = 0; x < starts.length; x++, k += 6) {
    const p = sourceAt + starts[x];
    out[x] = SAMPLE_BIAS + (w[k] * s[p] + w[k + 1] * s[p + 1]) +
      (w[k + 2] * s[p + 2] + w[k + 3] * s[p + 3]) +
      (w[k + 4] * s[p + 4] + w[k + 5] * s[p + 5]);
  }
}

function sum8({ source: s, sourceAt }: RowJob, taps: FilterTaps, out: Float64Array): void {
  const { starts, weights: w } = taps;
  for (let x = 0, k = 0; x < starts.length; x++, k += 8) {
    const p = sourceAt + starts[x];
    out[x] = SAMPLE_BIAS + (w[k] * s[p] + w[k + 1] * s[p + 1]) +
      (w[k + 2] * s[p + 2] + w[k + 3] * s[p + 3]) +
      (w[k + 4] * s[p + 4] + w[k + 5] * s[p + 5]) +
      (w[k + 6] * s[p + 6] + w[k + 7] * s[p + 7]);
  }
}

function sum10({ source: s, sourceAt }: RowJob, taps: FilterTaps, out: Float64Array): void {
  const { starts, weights: w } = taps;
  for (let x = 0, k = 0; x < starts.length; x++, k += 10) {
    const p = sourceAt + starts[x];
    out[x] = SAMPLE_BIAS + (w[k] * s[p] + w[k + 1] * s[p + 1]) +
      (w[k + 2] * s[p + 2] + w[k + 3] * s[p + 3]) +
      (w[k + 4] * s[p + 4] + w[k + 5] * s[p + 5]) +
      (w[k + 6] * s[p + 6] + w[k + 7] * s[p + 7]) +
      (w[k + 8] * s[p + 8] + w[k + 9] * s[p + 9]);
  }
}

function sum12({ source: s, sourceAt }: RowJob, taps: FilterTaps, out: Float64Array): void {
  const { starts, weights: w } = taps;
  for (let x = 0, k = 0; x < starts.length; x++, k += 12) {
    const p = sourceAt + starts[x];
    out[x] = SAMPLE_BIAS + (w[k] * s[p] + w[k + 1] * s[p + 1]) +
      (w[k + 2] * s[p + 2] + w[k + 3] * s[p + 3]) +
      (w[k + 4] * s[p + 4] + w[k + 5] * s[p + 5]) +
      (w[k + 6] * s[p + 6] + w[k + 7] * s[p + 7]) +
      (w[k + 8] * s[p + 8] + w[k + 9] * s[p + 9]) +
      (w[k + 10] * s[p + 10] + w[k + 11] * s[p + 11]);
  }
}

function sumMany({ source: s, sourceAt }: RowJob, taps: FilterTaps, out: Float64Array): void {
  const { starts, weights: w, count } = taps;
  for (let x = 0, k = 0; x < starts.length; x++) {
    let p = sourceAt + starts[x];
    let even = SAMPLE_BIAS;
    let odd = 0;
    for (const end = k + count; k < end; k += 2, p += 2) {
      even += w[k] * s[p];
      odd += w[k + 1] * s[p + 1];
    }
    out[x] = even + odd;
  }
}

function packSums({ halves }: SumRow, width: number, { target, targetAt }: RowJob): void {
  for (let x = 0; x < width; x++) {
    const low = halves[2 * x];
    const high = halves[2 * x + 1];
    target[targetAt + x] = RAISED_LANE0[(low >>> 7) & 1023] +
      (RAISED_LANE1[(low >>> 24) | ((high & 3) << 8)] + RAISED_LANE2[(high >>> 9) & 1023]);
  }
}

/** The rows, filtered across, that an output row is made of, kept in a ring. */
export interface RowRing {
  /** `capacity` rows of `width` packed pixels; row y of the source lies in slot `y % capacity`. */
  readonly rows: Float64Array;
  readonly width: number;
  readonly capacity: number;
}

/** Filters output row `y` down into biased sums. The ring must hold all rows of its taps. */
export function filterDown(ring: RowRing, taps: FilterTaps, y: number, row: SumRow): void {
  const { count } = taps;
  const offsets = ringOffsets(ring, taps.starts[y], count);
  const weights = taps.weights.subarray(y * count, (y + 1) * count);
  let j: number;
  if (count >= 8) {
    down8(ring, offsets, weights, row.sums);
    j = 8;
  } else if (count === 6) {
    down6(ring, offsets, weights, row.sums);
    j = 6;
  } else {
    down4(ring, offsets, weights, row.sums);
    j = 4;
  }
  for (; j + 4 <= count; j += 4) addDown4(ring, offsets, { weights, from: j, sums: row.sums });
  if (j < count) addDown2(ring, offsets, { weights, from: j, sums: row.sums });
}

const MAX_CACHED_TAPS = 64;
const offsetScratch = new Int32Array(MAX_CACHED_TAPS);

function ringOffsets({ width, capacity }: RowRing, first: number, count: number): Int32Array {
  const offsets = count <= MAX_CACHED_TAPS ? offsetScratch : new Int32Array(count);
  let slot = first % capacity;
  for (let j = 0; j < count; j++) {
    offsets[j] = slot * width;
    if (++slot === capacity) slot = 0;
  }
  return offsets;
}

function down4(ring: RowRing, at: Int32Array, w: Float64Array, out: Float64Array): void {
  const { rows: m, width } = ring;
  const [w0, w1, w2, w3] = w;
  const [r0, r1, r2, r3] = at;
  for (let x = 0; x < width; x++) {
    out[x] = RAISED_BIAS + (w0 * m[r0 + x] + w1 * m[r1 + x]) + (w2 * m[r2 + x] + w3 * m[r3 + x]);
  }
}

function down6(ring: RowRing, at: Int32Array, w: Float64Array, out: Float64Array): void {
  const { rows: m, width } = ring;
  const [w0, w1, w2, w3, w4, w5] = w;
  const [r0, r1, r2, r3, r4, r5] = at;
  for (let x = 0; x < width; x++) {
    out[x] = RAISED_BIAS + (w0 * m[r0 + x] + w1 * m[r1 + x]) + (w2 * m[r2 + x] + w3 * m[r3 + x]) +
      (w4 * m[r4 + x] + w5 * m[r5 + x]);
  }
}

function down8(ring: RowRing, at: Int32Array, w: Float64Array, out: Float64Array): void {
  const { rows: m, width } = ring;
  const [w0, w1, w2, w3, w4, w5, w6, w7] = w;
  const [r0, r1, r2, r3, r4, r5, r6, r7] = at;
  for (let x = 0; x < width; x++) {
    out[x] = RAISED_BIAS +
      ((w0 * m[r0 + x] + w1 * m[r1 + x]) + (w2 * m[r2 + x] + w3 * m[r3 + x])) +
      ((w4 * m[r4 + x] + w5 * m[r5 + x]) + (w6 * m[r6 + x] + w7 * m[r7 + x]));
  }
}

interface MoreTaps {
  readonly weights: Float64Array;
  readonly from: number;
  readonly sums: Float64Array;
}

function addDown4(ring: RowRing, at: Int32Array, { weights: w, from: j, sums }: MoreTaps): void {
  const { rows: m, width } = ring;
  const w0 = w[j], w1 = w[j + 1], w2 = w[j + 2], w3 = w[j + 3];
  const r0 = at[j], r1 = at[j + 1], r2 = at[j + 2], r3 = at[j + 3];
  for (let x = 0; x < width; x++) {
    sums[x] += (w0 * m[r0 + x] + w1 * m[r1 + x]) + (w2 * m[r2 + x] + w3 * m[r3 + x]);
  }
}

function addDown2(ring: RowRing, at: Int32Array, { weights: w, from: j, sums }: MoreTaps): void {
  const { rows: m, width } = ring;
  const w0 = w[j], w1 = w[j + 1];
  const r0 = at[j], r1 = at[j + 1];
  for (let x = 0; x < width; x++) sums[x] += w0 * m[r0 + x] + w1 * m[r1 + x];
}
