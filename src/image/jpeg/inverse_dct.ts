/**
 * The inverse transform of one block into 8×8 samples: the one of Loeffler, Ligtenberg and
 * Moschytz (ICASSP 1989) with the integer constants and roundings of libjpeg's `jidctint.c`, so
 * that samples equal libjpeg's.
 *
 * Reads the dequantised coefficients from `block`, row-major, and leaves it cleared. Unrolled:
 * loops over coefficients cost twice the time.
 *
 * @module
 */

/** The coefficients of the block being decoded; slot 64 takes those that are not needed. */
export const block: Int32Array = new Int32Array(65);

const workspace = new Int32Array(64);

// Constants of jidctint.c: round(x * 2^13).
const F_0_298 = 2446;
const F_0_390 = 3196;
const F_0_541 = 4433;
const F_0_765 = 6270;
const F_0_899 = 7373;
const F_1_175 = 9633;
const F_1_501 = 12299;
const F_1_847 = 15137;
const F_1_961 = 16069;
const F_2_053 = 16819;
const F_2_562 = 20995;
const F_3_072 = 25172;
/** Sums of the above that the sparse transform needs. */
const F_1_306 = F_0_541 + F_0_765;

/** Level shift (T.81 A.3.1) and rounding of the second pass, in its fixed point. */
const SECOND_PASS_BIAS = (128 << 18) + (1 << 17);

function clamp(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/**
 * 8×8 samples. `last` is the index in zigzag order of the last coefficient that is not zero: it
 * picks a shorter transform when the rest of the block is empty.
 */
export function inverseDct8(out: Uint8Array, at: number, stride: number, last: number): void {
  if (last === 0) fillBlock(out, at, stride);
  else if (last < 10) inverseDct8Sparse(out, at, stride);
  else inverseDct8Full(out, at, stride);
}

function fillBlock(out: Uint8Array, at: number, stride: number): void {
  const value = clamp(((block[0] + 4) >> 3) + 128);
  for (let y = 0; y < 8; y++) {
    out[at] = value;
    out[at + 1] = value;
    out[at + 2] = value;
    out[at + 3] = value;
    out[at + 4] = value;
    out[at + 5] = value;
    out[at + 6] = value;
    out[at + 7] = value;
    at += stride;
  }
}

/** The first ten coefficients in zigzag order lie in the low 4×4 corner. */
function inverseDct8Sparse(out: Uint8Array, at: number, stride: number): void {
  const b = block;
  const w = workspace;
  const imul = Math.imul;
  for (let i = 0; i < 4; i++) {
    const c1 = b[8 + i];
    const c2 = b[16 + i];
    const c3 = b[24 + i];
    const t0 = (b[i] << 13) + 1024;
    b[i] = 0;
    b[8 + i] = 0;
    b[16 + i] = 0;
    b[24 + i] = 0;
    const t2 = imul(c2, F_0_541);
    const t3 = imul(c2, F_1_306);
    const t10 = t0 + t3;
    const t13 = t0 - t3;
    const t11 = t0 + t2;
    const t12 = t0 - t2;
    const z5 = imul(c3 + c1, F_1_175);
    const z3 = z5 - imul(c3, F_1_961);
    const z4 = z5 - imul(c1, F_0_390);
    const z1 = -imul(c1, F_0_899);
    const z2 = -imul(c3, F_2_562);
    const o0 = z1 + z3;
    const o1 = z2 + z4;
    const o2 = imul(c3, F_3_072) + z2 + z3;
    const o3 = imul(c1, F_1_501) + z1 + z4;
    w[i] = (t10 + o3) >> 11;
    w[56 + i] = (t10 - o3) >> 11;
    w[8 + i] = (t11 + o2) >> 11;
    w[48 + i] = (t11 - o2) >> 11;
    w[16 + i] = (t12 + o1) >> 11;
    w[40 + i] = (t12 - o1) >> 11;
    w[24 + i] = (t13 + o0) >> 11;
    w[32 + i] = (t13 - o0) >> 11;
  }
  for (let i = 0; i < 64; i += 8) {
    const c1 = w[i + 1];
    const c2 = w[i + 2];
    const c3 = w[i + 3];
    const t0 = (w[i] << 13) + SECOND_PASS_BIAS;
    const t2 = imul(c2, F_0_541);
    const t3 = imul(c2, F_1_306);
    const t10 = t0 + t3;
    const t13 = t0 - t3;
    const t11 = t0 + t2;
    const t12 = t0 - t2;
    const z5 = imul(c3 + c1, F_1_175);
    const z3 = z5 - imul(c3, F_1_961);
    const z4 = z5 - imul(c1, F_0_390);
    const z1 = -imul(c1, F_0_899);
    const z2 = -imul(c3, F_2_562);
    const o0 = z1 + z3;
    const o1 = z2 + z4;
    const o2 = imul(c3, F_3_072) + z2 + z3;
    const o3 = imul(c1, F_1_501) + z1 + z4;
    const s0 = (t10 + o3) >> 18;
    const s1 = (t11 + o2) >> 18;
    const s2 = (t12 + o1) >> 18;
    const s3 = (t13 + o0) >> 18;
    const s4 = (t13 - o0) >> 18;
    const s5 = (t12 - o1) >> 18;
    const s6 = (t11 - o2) >> 18;
    const s7 = (t10 - o3) >> 18;
    if (((s0 | s1 | s2 | s3 | s4 | s5 | s6 | s7) & ~255) === 0) {
      out[at] = s0;
      out[at + 1] = s1;
      out[at + 2] = s2;
      out[at + 3] = s3;
      out[at + 4] = s4;
      out[at + 5] = s5;
      out[at + 6] = s6;
      out[at + 7] = s7;
    } else {
      out[at] = clamp(s0);
      out[at + 1] = clamp(s1);
      out[at + 2] = clamp(s2);
      out[at + 3] = clamp(s3);
      out[at + 4] = clamp(s4);
      out[at + 5] = clamp(s5);
      out[at + 6] = clamp(s6);
      out[at + 7] = clamp(s7);
    }
    at += stride;
  }
}

function inverseDct8Full(out: Uint8Array, at: number, stride: number): void {
  const b = block;
  const w = workspace;
  const imul = Math.imul;
  for (let i = 0; i < 8; i++) {
    const c0 = b[i];
    const c1 = b[8 + i];
    const c2 = b[16 + i];
    const c3 = b[24 + i];
    const c4 = b[32 + i];
    const c5 = b[40 + i];
    const c6 = b[48 + i];
    const c7 = b[56 + i];
    if ((c1 | c2 | c3 | c4 | c5 | c6 | c7) === 0) {
      const flat = c0 << 2;
      b[i] = 0;
      w[i] = flat;
      w[8 + i] = flat;
      w[16 + i] = flat;
      w[24 + i] = flat;
      w[32 + i] = flat;
      w[40 + i] = flat;
      w[48 + i] = flat;
      w[56 + i] = flat;
      continue;
    }
    const e1 = imul(c2 + c6, F_0_541);
    const t2 = e1 - imul(c6, F_1_847);
    const t3 = e1 + imul(c2, F_0_765);
    const t0 = ((c0 + c4) << 13) + 1024;
    const t1 = ((c0 - c4) << 13) + 1024;
    const t10 = t0 + t3;
    const t13 = t0 - t3;
    const t11 = t1 + t2;
    const t12 = t1 - t2;
    const z5 = imul(c7 + c3 + c5 + c1, F_1_175);
    const z1 = -imul(c7 + c1, F_0_899);
    const z2 = -imul(c5 + c3, F_2_562);
    const z3 = z5 - imul(c7 + c3, F_1_961);
    const z4 = z5 - imul(c5 + c1, F_0_390);
    const o0 = imul(c7, F_0_298) + z1 + z3;
    const o1 = imul(c5, F_2_053) + z2 + z4;
    const o2 = imul(c3, F_3_072) + z2 + z3;
    const o3 = imul(c1, F_1_501) + z1 + z4;
    w[i] = (t10 + o3) >> 11;
    w[56 + i] = (t10 - o3) >> 11;
    w[8 + i] = (t11 + o2) >> 11;
    w[48 + i] = (t11 - o2) >> 11;
    w[16 + i] = (t12 + o1) >> 11;
    w[40 + i] = (t12 - o1) >> 11;
    w[24 + i] = (t13 + o0) >> 11;
    w[32 + i] = (t13 - o0) >> 11;
    b[i] = 0;
    b[8 + i] = 0;
    b[16 + i] = 0;
    b[24 + i] = 0;
    b[32 + i] = 0;
    b[40 + i] = 0;
    b[48 + i] = 0;
    b[56 + i] = 0;
  }
  for (let i = 0; i < 64; i += 8) {
    const c0 = w[i];
    const c1 = w[i + 1];
    const c2 = w[i + 2];
    const c3 = w[i + 3];
    const c4 = w[i + 4];
    const c5 = w[i + 5];
    const c6 = w[i + 6];
    const c7 = w[i + 7];
    const e1 = imul(c2 + c6, F_0_541);
    const t2 = e1 - imul(c6, F_1_847);
    const t3 = e1 + imul(c2, F_0_765);
    const t0 = ((c0 + c4) << 13) + SECOND_PASS_BIAS;
    const t1 = ((c0 - c4) << 13) + SECOND_PASS_BIAS;
    const t10 = t0 + t3;
    const t13 = t0 - t3;
    const t11 = t1 + t2;
    const t12 = t1 - t2;
    const z5 = imul(c7 + c3 + c5 + c1, F_1_175);
    const z1 = -imul(c7 + c1, F_0_899);
    const z2 = -imul(c5 + c3, F_2_562);
    const z3 = z5 - imul(c7 + c3, F_1_961);
    const z4 = z5 - imul(c5 + c1, F_0_390);
    const o0 = imul(c7, F_0_298) + z1 + z3;
    const o1 = imul(c5, F_2_053) + z2 + z4;
    const o2 = imul(c3, F_3_072) + z2 + z3;
    const o3 = imul(c1, F_1_501) + z1 + z4;
    const s0 = (t10 + o3) >> 18;
    const s1 = (t11 + o2) >> 18;
    const s2 = (t12 + o1) >> 18;
    const s3 = (t13 + o0) >> 18;
    const s4 = (t13 - o0) >> 18;
    const s5 = (t12 - o1) >> 18;
    const s6 = (t11 - o2) >> 18;
    const s7 = (t10 - o3) >> 18;
    if (((s0 | s1 | s2 | s3 | s4 | s5 | s6 | s7) & ~255) === 0) {
      out[at] = s0;
      out[at + 1] = s1;
      out[at + 2] = s2;
      out[at + 3] = s3;
      out[at + 4] = s4;
      out[at + 5] = s5;
      out[at + 6] = s6;
      out[at + 7] = s7;
    } else {
      out[at] = clamp(s0);
      out[at + 1] = clamp(s1);
      out[at + 2] = clamp(s2);
      out[at + 3] = clamp(s3);
      out[at + 4] = clamp(s4);
      out[at + 5] = clamp(s5);
      out[at + 6] = clamp(s6);
      out[at + 7] = clamp(s7);
    }
    at += stride;
  }
}
