/**
 * The weights of a separable resampling filter, as integers.
 *
 * @module
 */

/** What the weights of one output sample add up to: 7 bits, so that lanes of 17 bits hold sums. */
export const WEIGHT_ONE = 128;

/** The filters on offer; `lanczos3` is the reference, `cubic` (Catmull-Rom) is cheaper. */
export type FilterName = "lanczos3" | "cubic";

interface Filter {
  /** Reach on either side, in samples of the smaller grid. */
  readonly support: number;
  readonly weigh: (distance: number) => number;
}

const FILTERS: Readonly<Record<FilterName, Filter>> = {
  // Beyond 2.83 of its 3 samples the kernel weighs less than half a unit: 6 taps do for ratios to 1.06.
  lanczos3: { support: 2.83, weigh: weighLanczos3 },
  // Keys, "Cubic convolution interpolation for digital image processing", 1981, a = -1/2.
  cubic: {
    support: 2,
    weigh: (d) => d < 1 ? (1.5 * d - 2.5) * d * d + 1 : ((2.5 - 0.5 * d) * d - 4) * d + 2,
  },
};

/** sinc(d) sinc(d / 3) with one sine: sin 3a = sin a (3 - 4 sin² a). */
function weighLanczos3(d: number): number {
  if (d === 0) return 1;
  const angle = Math.PI * d / 3;
  const square = Math.sin(angle) ** 2;
  return square * (3 - 4 * square) / (3 * angle * angle);
}

/** Which source samples make each output sample, and with which weights. */
export interface FilterTaps {
  /** Weights per output sample: even, at least 4; the unused ones are zero. */
  readonly count: number;
  /** First source sample of each output sample. Never negative. */
  readonly starts: Int32Array;
  /** `count` weights per output sample, whole numbers adding up to {@linkcode WEIGHT_ONE}. */
  readonly weights: Float64Array;
}

/** One axis of a resize. */
export interface AxisMapping {
  /** Source samples there are. */
  readonly sourceLength: number;
  /** Where the output begins and how far it reaches, in source samples; may be fractional. */
  readonly start: number;
  readonly length: number;
  /** Output samples to make. */
  readonly targetLength: number;
}

/** The source samples `[first, end)` that an axis reads through this filter. */
export function tapsReach(axis: AxisMapping, name: FilterName): { first: number; end: number } {
  const ratio = axis.length / axis.targetLength;
  const reach = FILTERS[name].support * Math.max(1, ratio);
  const first = Math.ceil(axis.start + 0.5 * ratio - reach - 0.5);
  const last = Math.floor(axis.start + axis.length - 0.5 * ratio + reach - 0.5);
  return { first: Math.max(0, first), end: Math.min(axis.sourceLength, last + 1) };
}

/**
 * Makes the weights of one axis. When shrinking, the filter is widened by the ratio, so that it
 * also removes what the smaller grid cannot show.
 */
export function buildFilterTaps(axis: AxisMapping, name: FilterName): FilterTaps {
  const { support, weigh } = FILTERS[name];
  const { sourceLength, targetLength } = axis;
  const ratio = axis.length / targetLength;
  const widening = Math.max(1, ratio);
  const reach = support * widening;
  // One more than the open interval can hold, then even: the row kernels step by two.
  const count = Math.max(4, (Math.ceil(2 * reach) + 1) & ~1);
  const starts = new Int32Array(targetLength);
  const weights = new Float64Array(targetLength * count);
  const exact = new Float64Array(count);
  for (let i = 0; i < targetLength; i++) {
    const centre = axis.start + (i + 0.5) * ratio - 0.5;
    const first = clampIndex(Math.floor(centre - reach) + 1, sourceLength);
    const last = Math.min(
      clampIndex(Math.ceil(centre + reach) - 1, sourceLength),
      first + count - 1,
    );
    for (let j = first; j <= last; j++) {
      exact[j - first] = weigh(Math.min(support, Math.abs(j - centre) / widening));
    }
    const start = Math.max(0, Math.min(first, sourceLength - count));
    starts[i] = start;
    quantise(exact.subarray(0, last - first + 1), weights, i * count + first - start);
  }
  return { count, starts, weights };
}

function clampIndex(index: number, length: number): number {
  return Math.max(0, Math.min(length - 1, index));
}

/** Rounds weights to whole numbers with the right sum, carrying each error to the next. */
function quantise(exact: Float64Array, out: Float64Array, at: number): void {
  let sum = 0;
  let heaviest = 0;
  for (let j = 0; j < exact.length; j++) {
    sum += exact[j];
    if (exact[j] > exact[heaviest]) heaviest = j;
  }
  let error = 0;
  let total = 0;
  for (let j = 0; j < exact.length; j++) {
    const wanted = exact[j] / sum * WEIGHT_ONE + error;
    const rounded = Math.round(wanted);
    error = wanted - rounded;
    out[at + j] = rounded;
    total += rounded;
  }
  out[at + heaviest] += WEIGHT_ONE - total;
}
