import { PADDED_LENGTH, UNUSED_SLOT, ZIGZAG } from "./zigzag.ts";

/**
 * How the coefficients of a component go into its inverse transform of `size`×`size` samples.
 *
 * A sample of a scaled decode stands for the mean of 8 / `size` pixels each way. In that mean the
 * frequency `u` has the weight `mean of cos(u * pi * (2x + 1) / 16)` over the pixels, x around the
 * middle; and what a smaller picture cannot hold appears as a lower frequency (aliasing).
 */
export interface ReducedTransform {
  readonly size: number;
  /**
   * Whether the high frequencies are folded into the low ones, which makes the decode equal to the
   * mean of the pixels of a full one, and to libjpeg's. Without, they are left out: nothing
   * aliases, most of the bits need not be decoded, and the result is closer to what a good filter
   * makes of the full picture (by 0.5 to 3 dB on photographs).
   */
  readonly exactMean: boolean;
  /**
   * How much of the weights applies: 1 for the mean of pixels, which a good filter afterwards is used
   * to; 0 for none, which keeps a picture that is hardly made smaller afterwards as crisp as a good
   * filter would have. `exactMean` implies 1.
   */
  readonly softness: number;
}

/**
 * The factors, in zigzag order, that turn coded coefficients into the input of the transform.
 * `quant` is the table of the file (T.81 B.2.4.1). For 8×8 and 1×1 they are the file's; for the
 * sizes between they hold 12 more bits, the weights, and constants of the transform.
 */
export function buildDequantTable(quant: Int32Array, transform: ReducedTransform): Int32Array {
  if (transform.size === 8 || transform.size === 1) return quant;
  const table = new Int32Array(PADDED_LENGTH);
  for (let k = 0; k < 64; k++) {
    const across = foldFrequency(ZIGZAG[k] & 7, transform);
    const down = foldFrequency(ZIGZAG[k] >> 3, transform);
    if (!across || !down) continue;
    table[k] = Math.round(quant[k] * across.factor * down.factor * 4096);
  }
  return table;
}

/** Where in the block each coefficient is added, in zigzag order, padded to `PADDED_LENGTH`. */
export function buildReducedZigzag(transform: ReducedTransform): Uint8Array {
  const map = new Uint8Array(PADDED_LENGTH).fill(UNUSED_SLOT);
  for (let k = 0; k < 64; k++) {
    const across = foldFrequency(ZIGZAG[k] & 7, transform);
    const down = foldFrequency(ZIGZAG[k] >> 3, transform);
    if (across && down) map[k] = down.into * 8 + across.into;
  }
  return map;
}

/** Index in zigzag order of the last coefficient that the transform uses. */
export function lastNeededCoefficient({ size, exactMean }: ReducedTransform): number {
  return exactMean && size > 1 ? 63 : ZIGZAG.indexOf((size - 1) * 9);
}

/** The frequency of a `size`-point transform as which `u` appears, or null when it does not. */
function foldFrequency(
  u: number,
  { size, exactMean, softness }: ReducedTransform,
): { into: number; factor: number } | null {
  if (size === 8) return { into: u, factor: 1 };
  if (u >= size && (!exactMean || size === 1)) return null;
  let into = u;
  let sign = 1;
  if (into >= 2 * size) {
    into -= 2 * size;
    sign = -sign;
  }
  if (into > size) {
    into = 2 * size - into;
    sign = -sign;
  }
  const weight = meanWeight(u, 8 / size);
  if (into === size || Math.abs(weight) < 1e-9) return null;
  const softened = 1 - (exactMean ? 1 : softness) * (1 - weight);
  return { into, factor: sign * softened * (CONSTANTS[size]?.[into] ?? 1) };
}

/** What the transforms leave to the factors; 1 for all of the 2-point transform. */
const CONSTANTS: Readonly<Record<number, readonly number[]>> = {
  2: [1, 1],
  3: [1, Math.sqrt(3 / 2), Math.SQRT1_2],
  4: [1, cosine(1, 16), 1, cosine(3, 16)],
  5: [1, cosine(3, 20), Math.SQRT2 / 4, cosine(3, 20), Math.SQRT2 / 4],
  6: [1, 1, Math.sqrt(3 / 2), 1, Math.SQRT1_2, 1],
};

/** sqrt(2) times the cosine of `turns / of` of a turn. */
function cosine(turns: number, of: number): number {
  return Math.SQRT2 * Math.cos((2 * Math.PI * turns) / of);
}

/** The mean of cos(u * pi * (2x + 1) / 16) over `pixels` pixels around the middle. */
function meanWeight(u: number, pixels: number): number {
  if (u === 0) return 1;
  const angle = (u * Math.PI) / 16;
  return Math.sin(pixels * angle) / (pixels * Math.sin(angle));
}
