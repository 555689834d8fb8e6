/**
 * Zipf-distributed choices, and the sampling that makes millions of assets fit a laptop.
 *
 * @module
 */

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * The generalised harmonic number `1^-s + 2^-s + … + n^-s`: its first terms exactly, the rest by the
 * Euler–Maclaurin formula, whose error is far below what a simulation can see.
 */
export function sumZipf(n: number, exponent: number): number {
  const exact = Math.min(n, 10_000);
  let sum = 0;
  for (let rank = 1; rank <= exact; rank++) sum += rank ** -exponent;
  if (n === exact) return sum;
  const integral = exponent === 1
    ? Math.log(n / exact)
    : (n ** (1 - exponent) - exact ** (1 - exponent)) / (1 - exponent);
  return sum + integral + (n ** -exponent - exact ** -exponent) / 2;
}

/** A sample of a Zipf-distributed population. */
export interface ZipfSample {
  /** Ranks in the whole population, ascending from 1. */
  readonly ranks: Float64Array;
  /** Share of all requests that goes to the sampled ones, 0 to 1. */
  readonly share: number;
  /** Chooses an index into `ranks` for a number in [0, 1). */
  choose(random: number): number;
}

/** Picks one rank at random out of each run of `every`, over the whole population. */
export function sampleZipf(
  population: number,
  options: { readonly exponent: number; readonly every: number; readonly random: () => number },
): ZipfSample {
  const { exponent, every, random } = options;
  const size = Math.floor(population / every);
  const ranks = new Float64Array(size);
  const cumulative = new Float64Array(size);
  let sum = 0;
  for (let i = 0; i < size; i++) {
    ranks[i] = i * every + 1 + Math.floor(random() * every);
    sum += ranks[i] ** -exponent;
    cumulative[i] = sum;
  }
  return {
    ranks,
    share: sum / sumZipf(population, exponent),
    choose(random) {
      const wanted = random * sum;
      let [low, high] = [0, size - 1];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (cumulative[middle] > wanted) high = middle;
        else low = middle + 1;
      }
      return low;
    },
  };
}
