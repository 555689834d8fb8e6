/**
 * A streaming resampler: rows in, filtered rows out.
 *
 * Every source row is filtered across at once and kept in a ring of as many rows as the filter
 * reaches down; an output row is made as soon as its last source row has come. Memory follows the
 * output and the ring, not the source.
 *
 * @module
 */

import { buildFilterTaps, type FilterName, type FilterTaps } from "./filter_taps.ts";
import type { Rect, Size } from "./geometry.ts";
import { HEADROOM } from "./packed_lanes.ts";
import { filterAcross, filterDown, type RowJob, type RowRing, SumRow } from "./resample_rows.ts";
import type { RgbaImage } from "./rgba_image.ts";
import type { RasterInfo, Strip, StripSink } from "./strip.ts";
import { writeColors, writeTransparent } from "./sum_colors.ts";

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

/** One plane (packed colour, or alpha) on its way through the filter. */
class Plane {
  readonly ring: RowRing;
  readonly sums: SumRow;
  readonly #across: FilterTaps;
  readonly #padded: Float64Array | null;

  constructor(across: FilterTaps, size: { sourceWidth: number; capacity: number }) {
    const width = across.starts.length;
    const { capacity } = size;
    this.#across = across;
    this.ring = { rows: new Float64Array(width * capacity), width, capacity };
    this.sums = new SumRow(width);
    // Rows shorter than the filter are copied, so that zero weights never meet the row's end.
    this.#padded = size.sourceWidth < across.count ? new Float64Array(across.count) : null;
  }

  filterRow(source: Float64Array, at: number, options: { width: number; y: number }): void {
    const { rows, width, capacity } = this.ring;
    const job: RowJob = {
      source,
      sourceAt: at,
      target: rows,
      targetAt: (options.y % capacity) * width,
    };
    if (this.#padded === null) {
      filterAcross(job, this.#across, this.sums);
      return;
    }
    this.#padded.set(source.subarray(at, at + options.width));
    filterAcross({ ...job, source: this.#padded, sourceAt: 0 }, this.#across, this.sums);
  }

  /** Filters a row whose samples are all the same: it stays what it is. */
  fillRow(y: number, sample: number): void {
    const { rows, width, capacity } = this.ring;
    const at = (y % capacity) * width;
    rows.fill(sample + HEADROOM, at, at + width);
  }
}

class ResampleWork {
  readonly #info: RasterInfo;
  readonly #target: Size;
  readonly #keepsYcc: boolean;
  readonly #down: FilterTaps;
  readonly #color: Plane;
  readonly #alpha: Plane | null;
  readonly #alphaRow: Float64Array;
  readonly #pixels: Uint8Array;
  readonly #out: Uint32Array;
  /** The last source row with transparency so far: rows after it need no alpha arithmetic. */
  #lastSeeThroughRow = -1;
  #opaque = true;
  #nextTargetRow = 0;

  constructor(info: RasterInfo, { crop, target, filter, keepYcc }: ResampleOptions) {
    const { width, height } = info;
    const across = buildFilterTaps(
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
    const size = { sourceWidth: width, capacity: this.#down.count };
    this.#color = new Plane(across, size);
    this.#alpha = info.alpha ? new Plane(across, size) : null;
    this.#alphaRow = new Float64Array(info.alpha ? width : 0);
    this.#pixels = new Uint8Array(target.width * target.height * 4);
    this.#out = new Uint32Array(this.#pixels.buffer);
  }

  write(strip: Strip): boolean {
    const { width } = this.#info;
    const firstNeeded = this.#down.starts[0];
    for (let r = 0; r < strip.rows && this.#nextTargetRow < this.#target.height; r++) {
      const y = strip.y + r;
      if (y < firstNeeded) continue;
      this.#color.filterRow(strip.color, r * width, { width, y });
      if (this.#alpha !== null && strip.alpha !== null) {
        this.#filterAlphaRow(this.#alpha, strip.alpha.subarray(r * width, (r + 1) * width), y);
      }
      this.#makeRows(y);
    }
    return this.#nextTargetRow < this.#target.height;
  }

  #filterAlphaRow(plane: Plane, alpha: Uint8Array, y: number): void {
    const { width } = this.#info;
    if (isOpaqueRow(alpha)) {
      plane.fillRow(y, 255);
      return;
    }
    this.#lastSeeThroughRow = y;
    const row = this.#alphaRow;
    for (let x = 0; x < width; x++) row[x] = alpha[x];
    plane.filterRow(row, 0, { width, y });
  }

  #makeRows(y: number): void {
    const { starts, count } = this.#down;
    const lastSourceRow = this.#info.height - 1;
    while (
      this.#nextTargetRow < this.#target.height &&
      Math.min(lastSourceRow, starts[this.#nextTargetRow] + count - 1) <= y
    ) {
      this.#makeRow(this.#nextTargetRow++);
    }
  }

  #makeRow(row: number): void {
    const width = this.#target.width;
    const at = row * width;
    const { space } = this.#info;
    const color = this.#color.sums;
    filterDown(this.#color.ring, this.#down, row, color);
    const alpha = this.#alpha;
    if (alpha === null || this.#lastSeeThroughRow < this.#down.starts[row]) {
      const written = this.#keepsYcc ? "rgb" : space;
      writeColors(written, color, { out: this.#out, at, width });
      return;
    }
    filterDown(alpha.ring, this.#down, row, alpha.sums);
    writeTransparent(space, { color, alpha: alpha.sums }, { bytes: this.#pixels, at, width });
    this.#opaque = false;
  }

  result(): RgbaImage | null {
    if (this.#nextTargetRow < this.#target.height) return null;
    const space = this.#keepsYcc ? "ycc" : "rgb";
    return { ...this.#target, pixels: this.#pixels, opaque: this.#opaque, space };
  }
}

function isOpaqueRow(alpha: Uint8Array): boolean {
  for (let x = 0; x < alpha.length; x++) {
    if (alpha[x] !== 255) return false;
  }
  return true;
}
