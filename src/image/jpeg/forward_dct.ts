import { ZIGZAG } from "./zigzag.ts";

/**
 * Forward transform and quantisation of one block (T.81 A.3.3 and A.3.4).
 *
 * The transform is the scaled one of Arai, Agui and Nakajima (1988): five multiplications for
 * eight samples, its scale factors being part of the quantisation. In floating point it is more
 * exact than libjpeg's integer one.
 *
 * Functions are unrolled and long: this is the encoder's hottest code.
 *
 * @module
 */

/** The coefficients of the block before quantisation, row-major. */
const block = new Float64Array(64);

/** The quantised coefficients of the last block, in zigzag order. */
export const quantized: Int32Array = new Int32Array(64);

/** Indexes in zigzag order of the AC coefficients of the last block that are not zero. */
export const nonzeroIndexes: Uint8Array = new Uint8Array(65);

const COS_4 = Math.SQRT1_2;
const COS_6 = Math.cos((6 * Math.PI) / 16);
const COS_2_MINUS_6 = Math.cos((2 * Math.PI) / 16) - COS_6;
const COS_2_PLUS_6 = Math.cos((2 * Math.PI) / 16) + COS_6;

/**
 * Makes a truncating conversion round to the nearest: coefficients of 8-bit samples are far
 * smaller, so their sum with it is positive.
 */
const ROUNDING = 16384.5;

/** The factors in zigzag order that quantise the output of the transform; `quant` is row-major. */
export function buildQuantFactors(quant: Uint8Array): Float64Array {
  const scale = (u: number) => u === 0 ? 1 : Math.SQRT2 * Math.cos((u * Math.PI) / 16);
  return Float64Array.from({ length: 64 }, (_, k) => {
    const at = ZIGZAG[k];
    return 1 / (8 * quant[at] * scale(at >> 3) * scale(at & 7));
  });
}

/**
 * Transforms the 8×8 samples of `plane` at `at` (level-shifted, `stride` to the next row) and
 * quantises them into `quantized` and `nonzeroIndexes`. Returns how many AC coefficients are not 0.
 */
export function transformBlock(
  plane: Float64Array,
  at: number,
  options: { stride: number; factors: Float64Array },
): number {
  const b = block;
  for (let row = 0; row < 64; row += 8, at += options.stride) {
    const s0 = plane[at];
    const s1 = plane[at + 1];
    const s2 = plane[at + 2];
    const s3 = plane[at + 3];
    const s4 = plane[at + 4];
    const s5 = plane[at + 5];
    const s6 = plane[at + 6];
    const s7 = plane[at + 7];
    const sum07 = s0 + s7;
    const sum16 = s1 + s6;
    const sum25 = s2 + s5;
    const sum34 = s3 + s4;
    const diff07 = s0 - s7;
    const odd0 = (s3 - s4) + (s2 - s5);
    const odd1 = (s2 - s5) + (s1 - s6);
    const odd2 = (s1 - s6) + diff07;
    const even0 = sum07 + sum34;
    const even1 = sum16 + sum25;
    const even3 = sum07 - sum34;
    const turned = (sum16 - sum25 + even3) * COS_4;
    const z5 = (odd0 - odd2) * COS_6;
    const z2 = COS_2_MINUS_6 * odd0 + z5;
    const z4 = COS_2_PLUS_6 * odd2 + z5;
    const z3 = odd1 * COS_4;
    const z11 = diff07 + z3;
    const z13 = diff07 - z3;
    b[row] = even0 + even1;
    b[row + 1] = z11 + z4;
    b[row + 2] = even3 + turned;
    b[row + 3] = z13 - z2;
    b[row + 4] = even0 - even1;
    b[row + 5] = z13 + z2;
    b[row + 6] = even3 - turned;
    b[row + 7] = z11 - z4;
  }
  for (let column = 0; column < 8; column++) {
    const s0 = b[column];
    const s1 = b[column + 8];
    const s2 = b[column + 16];
    const s3 = b[column + 24];
    const s4 = b[column + 32];
    const s5 = b[column + 40];
    const s6 = b[column + 48];
    const s7 = b[column + 56];
    const sum07 = s0 + s7;
    const sum16 = s1 + s6;
    const sum25 = s2 + s5;
    const sum34 = s3 + s4;
    const diff07 = s0 - s7;
    const odd0 = (s3 - s4) + (s2 - s5);
    const odd1 = (s2 - s5) + (s1 - s6);
    const odd2 = (s1 - s6) + diff07;
    const even0 = sum07 + sum34;
    const even1 = sum16 + sum25;
    const even3 = sum07 - sum34;
    const turned = (sum16 - sum25 + even3) * COS_4;
    const z5 = (odd0 - odd2) * COS_6;
    const z2 = COS_2_MINUS_6 * odd0 + z5;
    const z4 = COS_2_PLUS_6 * odd2 + z5;
    const z3 = odd1 * COS_4;
    const z11 = diff07 + z3;
    const z13 = diff07 - z3;
    b[column] = even0 + even1;
    b[column + 8] = z11 + z4;
    b[column + 16] = even3 + turned;
    b[column + 24] = z13 - z2;
    b[column + 32] = even0 - even1;
    b[column + 40] = z13 + z2;
    b[column + 48] = even3 - turned;
    b[column + 56] = z11 - z4;
  }
  return quantize(options.factors);
}

function quantize(factors: Float64Array): number {
  const q = quantized;
  const indexes = nonzeroIndexes;
  const zigzag = ZIGZAG;
  q[0] = ((block[0] * factors[0] + ROUNDING) | 0) - 16384;
  let count = 0;
  for (let k = 1; k < 64; k++) {
    const value = ((block[zigzag[k]] * factors[k] + ROUNDING) | 0) - 16384;
    q[k] = value;
    // Without a branch, which would be taken at random.
    indexes[count] = k;
    count += (value | -value) >>> 31;
  }
  return count;
}
