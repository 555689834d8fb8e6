/**
 * How pixels travel between decoders and the resampler: strips of rows, three 8-bit channels
 * packed into one float64.
 *
 * A packed pixel is `c0 + c1 * 2^17 + c2 * 2^34`, each channel an integer 0–255. Sums of packed
 * pixels times small integer weights stay exact below 2^53, so one multiply-add filters three
 * channels. Lanes are 17 bits wide: 8 bits of sample, 7 bits of weight (weights sum to 128) and
 * room for the overshoot of a Lanczos kernel.
 *
 * @module
 */

/** What the three lanes hold. `gray` uses lane 0 only; `ycc` is full-range BT.601 (JFIF). */
export type LaneSpace = "rgb" | "ycc" | "gray";

/** The weight of lane 1 in a packed pixel. */
export const LANE1 = 2 ** 17;
/** The weight of lane 2 in a packed pixel. */
export const LANE2 = 2 ** 34;

/** The shape of the rows a decoder is about to deliver, fixed before the first strip. */
export interface RasterInfo {
  /** Pixels per row, after any scaled decode. Positive. */
  readonly width: number;
  /** Rows in all, after any scaled decode. Positive. */
  readonly height: number;
  readonly space: LaneSpace;
  /** Whether strips carry an alpha plane. Colour lanes are then premultiplied by it. */
  readonly alpha: boolean;
}

/** Consecutive rows, top to bottom. Buffers are the decoder's and are reused after `write`. */
export interface Strip {
  /** Index of the first row; strips come in order without gaps. */
  readonly y: number;
  /** Number of rows in this strip. Positive. */
  readonly rows: number;
  /** Packed colour, `rows * width` values from index 0, row-major without padding. */
  readonly color: Float64Array;
  /** Alpha 0–255, laid out like `color`; null exactly when `RasterInfo.alpha` is false. */
  readonly alpha: Uint8Array | null;
}

/** Takes the rows of one image, in order. */
export interface StripSink {
  /** Called once, before the first strip. Throwing stops the decode. */
  begin(info: RasterInfo): void;
  /** Called for every strip; must not keep the buffers. Returns false when no more rows are needed. */
  write(strip: Strip): boolean;
}
