/**
 * Averages squares of whole pixels on the way to the resampler, as libvips does before its filter:
 * one addition per source pixel instead of dozens of taps.
 *
 * @module
 */

import { PLAIN_BIAS } from "./packed_lanes.ts";
import { LANE1, LANE2, type RasterInfo, type Strip, type StripSink } from "./strip.ts";

const LANE_MASK = 0x1ffff;
// V8 takes a constant of the same module as one, and loads an imported one each time.
const MIDDLE = LANE1;
const TOP = LANE2;

/**
 * Wraps a sink: `factor` × `factor` pixels (2–22) become one. The grid starts at the raster's
 * corner; squares cut by the right or lower edge average what they have.
 */
export function createBoxShrink(factor: number, next: StripSink): StripSink {
  let work: BoxWork | null = null;
  return {
    begin(info) {
      const shrunk = {
        ...info,
        width: Math.ceil(info.width / factor),
        height: Math.ceil(info.height / factor),
      };
      work = new BoxWork(info, shrunk, { factor, next });
      next.begin(shrunk);
    },
    write(strip) {
      return work !== null && work.write(strip);
    },
  };
}

class BoxWork {
  readonly #source: RasterInfo;
  readonly #shrunk: RasterInfo;
  readonly #factor: number;
  readonly #next: StripSink;
  readonly #sums: Float64Array;
  readonly #halves: Int32Array;
  readonly #alphaSums: Uint32Array | null;
  readonly #out: Strip & { y: number };
  #summedRows = 0;

  constructor(
    source: RasterInfo,
    shrunk: RasterInfo,
    options: { factor: number; next: StripSink },
  ) {
    this.#source = source;
    this.#shrunk = shrunk;
    this.#factor = options.factor;
    this.#next = options.next;
    this.#sums = new Float64Array(shrunk.width).fill(PLAIN_BIAS);
    this.#halves = new Int32Array(this.#sums.buffer);
    this.#alphaSums = source.alpha ? new Uint32Array(shrunk.width) : null;
    this.#out = {
      y: -1,
      rows: 1,
      color: new Float64Array(shrunk.width),
      alpha: source.alpha ? new Uint8Array(shrunk.width) : null,
    };
  }

  write(strip: Strip): boolean {
    const { width, height } = this.#source;
    for (let r = 0; r < strip.rows; r++) {
      addRow(strip.color, r * width, { width, factor: this.#factor, sums: this.#sums });
      if (strip.alpha !== null && this.#alphaSums !== null) {
        const row = strip.alpha.subarray(r * width, (r + 1) * width);
        addAlphaRow(row, this.#factor, this.#alphaSums);
      }
      this.#summedRows++;
      if (this.#summedRows === this.#factor || strip.y + r === height - 1) {
        if (!this.#flush()) return false;
      }
    }
    return true;
  }

  #flush(): boolean {
    const { width } = this.#shrunk;
    const whole = Math.floor(this.#source.width / this.#factor);
    const rows = this.#summedRows;
    const out = this.#out;
    averageColors(this.#halves, out.color, { from: 0, to: whole, count: rows * this.#factor });
    const rest = this.#source.width - whole * this.#factor;
    averageColors(this.#halves, out.color, { from: whole, to: width, count: rows * rest });
    if (this.#alphaSums !== null && out.alpha !== null) {
      for (let x = 0; x < width; x++) {
        const count = rows * (x < whole ? this.#factor : rest);
        out.alpha[x] = (this.#alphaSums[x] + (count >> 1)) / count;
      }
      this.#alphaSums.fill(0);
    }
    this.#sums.fill(PLAIN_BIAS);
    this.#summedRows = 0;
    out.y++;
    return this.#next.write(out);
  }
}

interface RowSums {
  readonly width: number;
  readonly factor: number;
  readonly sums: Float64Array;
}

function addRow(color: Float64Array, at: number, { width, factor, sums }: RowSums): void {
  const whole = Math.floor(width / factor);
  let p = at;
  if (factor === 2) {
    for (let x = 0; x < whole; x++, p += 2) sums[x] += color[p] + color[p + 1];
  } else if (factor === 3) {
    for (let x = 0; x < whole; x++, p += 3) sums[x] += color[p] + color[p + 1] + color[p + 2];
  } else {
    for (let x = 0; x < whole; x++) {
      let sum = color[p] + color[p + 1];
      const end = p + factor;
      for (p += 2; p < end; p++) sum += color[p];
      sums[x] += sum;
    }
  }
  for (const end = at + width; p < end; p++) sums[whole] += color[p];
}

function addAlphaRow(alpha: Uint8Array, factor: number, sums: Uint32Array): void {
  for (let p = 0, x = 0; p < alpha.length; x++) {
    const end = Math.min(alpha.length, p + factor);
    let sum = 0;
    for (; p < end; p++) sum += alpha[p];
    sums[x] += sum;
  }
}

function averageColors(
  halves: Int32Array,
  out: Float64Array,
  { from, to, count }: { from: number; to: number; count: number },
): void {
  const inverse = 1 / count;
  for (let x = from; x < to; x++) {
    const low = halves[2 * x];
    const high = halves[2 * x + 1];
    const c0 = ((low & LANE_MASK) * inverse + 0.5) | 0;
    const c1 = (((low >>> 17) | ((high & 3) << 15)) * inverse + 0.5) | 0;
    const c2 = (((high >>> 2) & LANE_MASK) * inverse + 0.5) | 0;
    out[x] = c0 + (c1 * MIDDLE + c2 * TOP);
  }
}
