/**
 * A streaming resampler: rows in, filtered rows out.
 *
 * Source rows wait in a ring of as many as the filter reaches down. Once the last source row of two
 * output rows has come, these are filtered down, then across: at ratios above 1 most of the work is
 * in the first pass, which is the cheaper one (its weights stay in registers). Memory follows the
 * output and the ring, not the source.
 *
 * @module
 */

import { countMostPairRows, countPairRows, DownFilter, type RowRing } from "./down_filter.ts";
import { filterAcross, type RowPair } from "./filter_across.ts";
import { buildFilterTaps, type FilterName, type FilterTaps } from "./filter_taps.ts";
import type { Rect, Size } from "./geometry.ts";
import type { RgbaImage } from "./rgba_image.ts";
import type { RasterInfo, Strip, StripSink } from "./strip.ts";
import { writeColors, writeTransparent } from "./sum_colors.ts";
import { copySamples, packSums, SumRow } from "./sum_row.ts";

/** What to make of a raster. */
export interface ResampleOptions {
  /** The part of the raster to show, in raster pixels; may be fractional. */
  readonly crop: Rect;
  readonly target: Size;
  readonly filter: FilterName;
  /** Leaves YCbCr as it is instead of turning it into RGB. Default: false. */
  readonly keepYcc?: boolean;
}

/** A sink that turns the rows written to it into one picture. */
export interface Resampler extends StripSink {
  /** The picture, or null while rows are missing. */
  result(): RgbaImage | null;
}

/** Creates a resampler for one picture. Its memory is allocated by `begin`. */
export function createResampler(options: ResampleOptions): Resampler {
  let work: ResampleWork | null = null;
  return {
    begin(info) {
      work = new ResampleWork(info, options);
    },
    write(strip) {
      return work !== null && work.write(strip);
    },
    result() {
      return work === null ? null : work.result();
    },
  };
}

/** What both planes of a picture have in common. */
interface PlaneShape {
  readonly across: FilterTaps;
  readonly down: FilterTaps;
  /** Columns that the filter reads, counted from the first one. */
  readonly columns: number;
  /** Source rows to keep. */
  readonly capacity: number;
  /** The sample of output pixel 0 of row 0, where each output pixel is one sample; else null. */
  readonly origin: { readonly column: number; readonly row: number } | null;
}

/** One plane (packed colour, or alpha) on its way through the filter. */
class Plane {
  /** The last two output rows. */
  readonly sums: readonly [SumRow, SumRow];
  readonly #shape: PlaneShape;
  readonly #ring: RowRing;
  readonly #down: DownFilter;
  readonly #downSums: readonly [SumRow, SumRow];
  readonly #between: RowPair;

  constructor(shape: PlaneShape) {
    const { across, down, columns, capacity } = shape;
    const width = across.starts.length;
    // Rows shorter than the filter are padded, so that zero weights never meet a row's end.
    const step = Math.max(columns, across.count);
    this.sums = [new SumRow(width), new SumRow(width)];
    this.#shape = shape;
    this.#ring = { rows: new Float64Array(columns * capacity), width: columns, capacity };
    this.#down = new DownFilter(down);
    this.#downSums = [new SumRow(columns), new SumRow(columns)];
    this.#between = { pixels: new Float64Array(2 * step), step };
  }

  /** Where source row `y` goes. */
  row(y: number): { readonly rows: Float64Array; readonly at: number } {
    const { rows, width, capacity } = this.#ring;
    return { rows, at: (y % capacity) * width };
  }

  /** Makes output rows `y` and `y + 1` (the last one alone) into `sums`. */
  filterPair(y: number): void {
    const { across, columns, down, origin } = this.#shape;
    if (origin !== null) {
      const lastRow = down.starts.length - 1;
      this.sums.forEach((sums, which) => {
        const { rows, at } = this.row(origin.row + Math.min(y + which, lastRow));
        copySamples(rows.subarray(at + origin.column), sums);
      });
      return;
    }
    const { pixels, step } = this.#between;
    const [first, second] = this.#downSums;
    this.#down.filter(this.#ring, y, this.#downSums);
    packSums(first, columns, { target: pixels, at: 0 });
    packSums(second, columns, { target: pixels, at: step });
    filterAcross(this.#between, across, this.sums);
  }
}

class ResampleWork {
  readonly #info: RasterInfo;
  readonly #target: Size;
  readonly #keepsYcc: boolean;
  readonly #down: FilterTaps;
  /** The first column that the filter reads, and how many. */
  readonly #left: number;
  readonly #columns: number;
  readonly #color: Plane;
  readonly #alpha: Plane | null;
  readonly #pixels: Uint8Array;
  readonly #out: Uint32Array;
  /** The last source row with transparency so far: rows after it need no alpha arithmetic. */
  #lastSeeThroughRow = -1;
  #opaque = true;
  #nextTargetRow = 0;

  constructor(info: RasterInfo, { crop, target, filter, keepYcc }: ResampleOptions) {
    const { width, height } = info;
    const whole = buildFilterTaps(
      { sourceLength: width, start: crop.x, length: crop.width, targetLength: target.width },
      filter,
    );
    this.#down = buildFilterTaps(
      { sourceLength: height, start: crop.y, length: crop.height, targetLength: target.height },
      filter,
    );
    this.#info = info;
    this.#target = target;
    this.#keepsYcc = info.space === "ycc" && keepYcc === true;
    this.#left = whole.starts[0];
    this.#columns = Math.min(width, whole.starts[target.width - 1] + whole.count) - this.#left;
    const across = { ...whole, starts: whole.starts.map((start) => start - this.#left) };
    const shape = {
      across,
      down: this.#down,
      columns: this.#columns,
      capacity: countMostPairRows(this.#down),
      origin: isCopied(crop, target) ? { column: crop.x - this.#left, row: crop.y } : null,
    };
    this.#color = new Plane(shape);
    this.#alpha = info.alpha ? new Plane(shape) : null;
    this.#pixels = new Uint8Array(target.width * target.height * 4);
    this.#out = new Uint32Array(this.#pixels.buffer);
  }

  write(strip: Strip): boolean {
    const { width } = this.#info;
    const firstNeeded = this.#down.starts[0];
    for (let r = 0; r < strip.rows && this.#nextTargetRow < this.#target.height; r++) {
      const y = strip.y + r;
      if (y < firstNeeded) continue;
      const from = r * width + this.#left;
      const { rows, at } = this.#color.row(y);
      rows.set(strip.color.subarray(from, from + this.#columns), at);
      if (this.#alpha !== null && strip.alpha !== null) {
        this.#keepAlpha(this.#alpha, strip.alpha.subarray(from, from + this.#columns), y);
      }
      this.#makeRows(y);
    }
    return this.#nextTargetRow < this.#target.height;
  }

  #keepAlpha(plane: Plane, alpha: Uint8Array, y: number): void {
    const { rows, at } = plane.row(y);
    rows.set(alpha, at);
    if (!isOpaqueRow(alpha)) this.#lastSeeThroughRow = y;
  }

  #makeRows(y: number): void {
    const lastSourceRow = this.#info.height - 1;
    while (this.#nextTargetRow < this.#target.height) {
      const row = this.#nextTargetRow;
      const end = this.#down.starts[row] + countPairRows(this.#down, row);
      if (Math.min(lastSourceRow, end - 1) > y) return;
      this.#color.filterPair(row);
      // Rows without transparency stay opaque through the filter: its weights add up to one.
      const seeThrough = this.#lastSeeThroughRow >= this.#down.starts[row];
      if (seeThrough) this.#alpha?.filterPair(row);
      this.#writeRow(row, 0, seeThrough);
      if (row + 1 < this.#target.height) this.#writeRow(row + 1, 1, seeThrough);
      this.#nextTargetRow = row + 2;
    }
  }

  #writeRow(row: number, which: 0 | 1, seeThrough: boolean): void {
    const width = this.#target.width;
    const at = row * width;
    const { space } = this.#info;
    const color = this.#color.sums[which];
    if (this.#alpha === null || !seeThrough) {
      writeColors(this.#keepsYcc ? "rgb" : space, color, { out: this.#out, at, width });
      return;
    }
    const alpha = this.#alpha.sums[which];
    writeTransparent(space, { color, alpha }, { bytes: this.#pixels, at, width });
    this.#opaque = false;
  }

  result(): RgbaImage | null {
    if (this.#nextTargetRow < this.#target.height) return null;
    const space = this.#keepsYcc ? "ycc" : "rgb";
    return { ...this.#target, pixels: this.#pixels, opaque: this.#opaque, space };
  }
}

/** Whether every output pixel is one pixel of the raster: at those the filters are 1, elsewhere 0. */
function isCopied(crop: Rect, target: Size): boolean {
  return crop.width === target.width && crop.height === target.height &&
    Number.isInteger(crop.x) && Number.isInteger(crop.y);
}

function isOpaqueRow(alpha: Uint8Array): boolean {
  for (let x = 0; x < alpha.length; x++) {
    if (alpha[x] !== 255) return false;
  }
  return true;
}
