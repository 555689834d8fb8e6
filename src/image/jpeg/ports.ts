/**
 * What a user of the decoder brings along. Nothing in this folder knows the rest of the program.
 *
 * Pixels travel packed: three channels of 0–255 in one float64, `c0 + c1 * 2^17 + c2 * 2^34`.
 *
 * @module
 */

/** What the three channels hold. `gray` uses the first only; `ycc` is full-range BT.601 (JFIF). */
export type LaneSpace = "rgb" | "ycc" | "gray";

/** Takes the rows of one picture, top to bottom. */
export interface StripSink {
  /** Called once, before the first strip. Throwing stops the decode. */
  begin(info: {
    readonly width: number;
    readonly height: number;
    readonly space: LaneSpace;
    readonly alpha: false;
  }): void;
  /**
   * Called for every strip of `rows` rows from row `y` on, `rows * width` pixels from index 0 of
   * `color`. The strip is reused afterwards. Returns false when no more rows are needed.
   */
  write(strip: {
    readonly y: number;
    readonly rows: number;
    readonly color: Float64Array;
    readonly alpha: null;
  }): boolean;
}

/** Mixes inks by the profile of a press. */
export interface InkMixer {
  /** R, G and B, packed, of four amounts of ink, 0–255 each. */
  mix(cyan: number, magenta: number, yellow: number, black: number): number;
}
