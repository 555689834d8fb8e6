/**
 * Inverse transforms of one block into 1×1 to 6×6 samples: the low coefficients taken as the
 * transform of a smaller block, which is what makes a scaled decode cheap. `dequant_table.ts` says
 * how they are weighted; it also holds those constants of the transforms that can be multiplied
 * into the coefficients beforehand, so that few multiplications are left.
 *
 * All read the dequantised coefficients from `block`, row-major, and leave it cleared.
 *
 * Longer than 300 lines because each transform is unrolled: loops over coefficients cost twice the
 * time.
 *
 * @module
 */
import { block, inverseDct8 } from "./inverse_dct.ts";

const workspace = new Int32Array(36);

function clamp(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** Level shift and rounding of the reduced transforms: 12 bits of `buildDequantTable`, 3 of the /8. */
const REDUCED_BIAS = (128 << 15) + (1 << 14);

/** sqrt(2), sqrt(5) and the golden ratio, times 2^7. */
const SQRT2_7 = 181;
const SQRT5_7 = 286;
const GOLDEN_7 = 207;
/** (sqrt(3) - 1) / 2, times 2^10. */
const ROOT3_10 = 375;

/** One sample: the mean of the block. */
function inverseDct1(out: Uint8Array, at: number): void {
  out[at] = clamp(((block[0] + 4) >> 3) + 128);
}

/** 2×2 samples from the lowest 2×2 coefficients, dequantised by `buildDequantTable`. */
function inverseDct2(out: Uint8Array, at: number, stride: number): void {
  const a = block[0] + REDUCED_BIAS;
  const b = block[1];
  const c = block[8];
  const d = block[9];
  block[1] = 0;
  block[8] = 0;
  block[9] = 0;
  const sum = a + b;
  const difference = a - b;
  const lowSum = c + d;
  const lowDifference = c - d;
  out[at] = clamp((sum + lowSum) >> 15);
  out[at + 1] = clamp((difference + lowDifference) >> 15);
  out[at + stride] = clamp((sum - lowSum) >> 15);
  out[at + stride + 1] = clamp((difference - lowDifference) >> 15);
}

/**
 * 3×3 samples from the lowest 3×3 coefficients, dequantised by `buildDequantTable`, which leaves
 * no multiplication.
 */
function inverseDct3(out: Uint8Array, at: number, stride: number, last: number): void {
  if (last === 0) {
    fillBlock(out, at, { stride, size: 3 });
    return;
  }
  const b = block;
  const w = workspace;
  for (let i = 0; i < 3; i++) {
    const c0 = b[i];
    const c1 = b[8 + i];
    const c2 = b[16 + i];
    b[i] = 0;
    b[8 + i] = 0;
    b[16 + i] = 0;
    const even = c0 + c2;
    w[i] = even + c1;
    w[3 + i] = c0 - 2 * c2;
    w[6 + i] = even - c1;
  }
  for (let i = 0; i < 9; i += 3) {
    const c0 = w[i] + REDUCED_BIAS;
    const c1 = w[i + 1];
    const c2 = w[i + 2];
    const even = c0 + c2;
    out[at] = clamp((even + c1) >> 15);
    out[at + 1] = clamp((c0 - 2 * c2) >> 15);
    out[at + 2] = clamp((even - c1) >> 15);
    at += stride;
  }
}

/**
 * 4×4 samples from the lowest 4×4 coefficients, dequantised by `buildDequantTable`, which leaves
 * one multiplication for four samples (the factoring of Arai, Agui and Nakajima, 1988). `last` is
 * the index in zigzag order of the last coefficient that is not zero.
 */
function inverseDct4(out: Uint8Array, at: number, stride: number, last: number): void {
  if (last === 0) {
    const value = clamp((block[0] + REDUCED_BIAS) >> 15);
    for (let y = 0; y < 4; y++) {
      out[at] = value;
      out[at + 1] = value;
      out[at + 2] = value;
      out[at + 3] = value;
      at += stride;
    }
    return;
  }
  const b = block;
  const w = workspace;
  const imul = Math.imul;
  for (let i = 0; i < 4; i++) {
    const c0 = b[i];
    const c1 = b[8 + i];
    const c2 = b[16 + i];
    const c3 = b[24 + i];
    b[i] = 0;
    b[8 + i] = 0;
    b[16 + i] = 0;
    b[24 + i] = 0;
    const even0 = c0 + c2;
    const even1 = c0 - c2;
    const odd0 = c1 + c3;
    const odd1 = imul((c1 - c3) >> 7, SQRT2_7) - odd0;
    w[i] = even0 + odd0;
    w[4 + i] = even1 + odd1;
    w[8 + i] = even1 - odd1;
    w[12 + i] = even0 - odd0;
  }
  for (let i = 0; i < 16; i += 4) {
    const c0 = w[i] + REDUCED_BIAS;
    const c1 = w[i + 1];
    const c2 = w[i + 2];
    const c3 = w[i + 3];
    const even0 = c0 + c2;
    const even1 = c0 - c2;
    const odd0 = c1 + c3;
    const odd1 = imul((c1 - c3) >> 7, SQRT2_7) - odd0;
    const s0 = (even0 + odd0) >> 15;
    const s1 = (even1 + odd1) >> 15;
    const s2 = (even1 - odd1) >> 15;
    const s3 = (even0 - odd0) >> 15;
    if (((s0 | s1 | s2 | s3) & ~255) === 0) {
      out[at] = s0;
      out[at + 1] = s1;
      out[at + 2] = s2;
      out[at + 3] = s3;
    } else {
      out[at] = clamp(s0);
      out[at + 1] = clamp(s1);
      out[at + 2] = clamp(s2);
      out[at + 3] = clamp(s3);
    }
    at += stride;
  }
}

/**
 * 5×5 samples from the lowest 5×5 coefficients, dequantised by `buildDequantTable`, which leaves
 * three multiplications for five samples.
 */
function inverseDct5(out: Uint8Array, at: number, stride: number, last: number): void {
  if (last === 0) {
    fillBlock(out, at, { stride, size: 5 });
    return;
  }
  const b = block;
  const w = workspace;
  const imul = Math.imul;
  for (let i = 0; i < 5; i++) {
    const c0 = b[i];
    const c1 = b[8 + i];
    const c2 = b[16 + i];
    const c3 = b[24 + i];
    const c4 = b[32 + i];
    b[i] = 0;
    b[8 + i] = 0;
    b[16 + i] = 0;
    b[24 + i] = 0;
    b[32 + i] = 0;
    const sum = imul((c2 + c4) >> 7, SQRT5_7);
    const difference = c2 - c4;
    const even0 = c0 + difference + sum;
    const even1 = c0 + difference - sum;
    const odd0 = imul(c1 >> 7, GOLDEN_7) + c3;
    const odd1 = c1 - imul(c3 >> 7, GOLDEN_7);
    w[i] = even0 + odd0;
    w[5 + i] = even1 + odd1;
    w[10 + i] = c0 - 4 * difference;
    w[15 + i] = even1 - odd1;
    w[20 + i] = even0 - odd0;
  }
  for (let i = 0; i < 25; i += 5) {
    const c0 = w[i] + REDUCED_BIAS;
    const c1 = w[i + 1];
    const c2 = w[i + 2];
    const c3 = w[i + 3];
    const c4 = w[i + 4];
    const sum = imul((c2 + c4) >> 7, SQRT5_7);
    const difference = c2 - c4;
    const even0 = c0 + difference + sum;
    const even1 = c0 + difference - sum;
    const odd0 = imul(c1 >> 7, GOLDEN_7) + c3;
    const odd1 = c1 - imul(c3 >> 7, GOLDEN_7);
    const s0 = (even0 + odd0) >> 15;
    const s1 = (even1 + odd1) >> 15;
    const s2 = (c0 - 4 * difference) >> 15;
    const s3 = (even1 - odd1) >> 15;
    const s4 = (even0 - odd0) >> 15;
    if (((s0 | s1 | s2 | s3 | s4) & ~255) === 0) {
      out[at] = s0;
      out[at + 1] = s1;
      out[at + 2] = s2;
      out[at + 3] = s3;
      out[at + 4] = s4;
    } else {
      out[at] = clamp(s0);
      out[at + 1] = clamp(s1);
      out[at + 2] = clamp(s2);
      out[at + 3] = clamp(s3);
      out[at + 4] = clamp(s4);
    }
    at += stride;
  }
}

/**
 * 6×6 samples from the lowest 6×6 coefficients, dequantised by `buildDequantTable`, which leaves
 * one multiplication for six samples.
 */
function inverseDct6(out: Uint8Array, at: number, stride: number, last: number): void {
  if (last === 0) {
    fillBlock(out, at, { stride, size: 6 });
    return;
  }
  const b = block;
  const w = workspace;
  const imul = Math.imul;
  for (let i = 0; i < 6; i++) {
    const c0 = b[i];
    const c1 = b[8 + i];
    const c2 = b[16 + i];
    const c3 = b[24 + i];
    const c4 = b[32 + i];
    const c5 = b[40 + i];
    b[i] = 0;
    b[8 + i] = 0;
    b[16 + i] = 0;
    b[24 + i] = 0;
    b[32 + i] = 0;
    b[40 + i] = 0;
    const even0 = c0 + c2 + c4;
    const even1 = c0 - 2 * c4;
    const even2 = c0 - c2 + c4;
    const shared = imul((c1 + c5) >> 10, ROOT3_10);
    const odd0 = shared + c1 + c3;
    const odd1 = c1 - c3 - c5;
    const odd2 = shared - c3 + c5;
    w[i] = even0 + odd0;
    w[6 + i] = even1 + odd1;
    w[12 + i] = even2 + odd2;
    w[18 + i] = even2 - odd2;
    w[24 + i] = even1 - odd1;
    w[30 + i] = even0 - odd0;
  }
  for (let i = 0; i < 36; i += 6) {
    const c0 = w[i] + REDUCED_BIAS;
    const c1 = w[i + 1];
    const c2 = w[i + 2];
    const c3 = w[i + 3];
    const c4 = w[i + 4];
    const c5 = w[i + 5];
    const even0 = c0 + c2 + c4;
    const even1 = c0 - 2 * c4;
    const even2 = c0 - c2 + c4;
    const shared = imul((c1 + c5) >> 10, ROOT3_10);
    const odd0 = shared + c1 + c3;
    const odd1 = c1 - c3 - c5;
    const odd2 = shared - c3 + c5;
    const s0 = (even0 + odd0) >> 15;
    const s1 = (even1 + odd1) >> 15;
    const s2 = (even2 + odd2) >> 15;
    const s3 = (even2 - odd2) >> 15;
    const s4 = (even1 - odd1) >> 15;
    const s5 = (even0 - odd0) >> 15;
    if (((s0 | s1 | s2 | s3 | s4 | s5) & ~255) === 0) {
      out[at] = s0;
      out[at + 1] = s1;
      out[at + 2] = s2;
      out[at + 3] = s3;
      out[at + 4] = s4;
      out[at + 5] = s5;
    } else {
      out[at] = clamp(s0);
      out[at + 1] = clamp(s1);
      out[at + 2] = clamp(s2);
      out[at + 3] = clamp(s3);
      out[at + 4] = clamp(s4);
      out[at + 5] = clamp(s5);
    }
    at += stride;
  }
}

/** A block whose only coefficient is the mean. */
function fillBlock(
  out: Uint8Array,
  at: number,
  { stride, size }: { stride: number; size: number },
): void {
  const value = clamp((block[0] + REDUCED_BIAS) >> 15);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) out[at + x] = value;
    at += stride;
  }
}

/** Transforms `block` into `size`×`size` samples; `last` as in `inverseDct4`. */
export function inverseDct(
  { plane, size, stride }: { plane: Uint8Array; size: number; stride: number },
  at: number,
  last: number,
): void {
  if (size === 4) inverseDct4(plane, at, stride, last);
  else if (size === 2) inverseDct2(plane, at, stride);
  else if (size === 1) inverseDct1(plane, at);
  else if (size === 8) inverseDct8(plane, at, stride, last);
  else if (size === 6) inverseDct6(plane, at, stride, last);
  else if (size === 3) inverseDct3(plane, at, stride, last);
  else inverseDct5(plane, at, stride, last);
}
