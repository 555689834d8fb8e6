/**
 * Builds small sequential JPEGs from coefficients, with every layout that the standard allows, and
 * computes from the same coefficients what a decoder must make of them.
 */
import {
  type HuffmanSpec,
  STANDARD_AC_LUMA,
  STANDARD_DC_LUMA,
} from "../../../../src/image/jpeg/standard_tables.ts";
import { ZIGZAG } from "../../../../src/image/jpeg/zigzag.ts";
import { createRandom } from "./raster.ts";

export interface BuildOptions {
  readonly width: number;
  readonly height: number;
  /** Sampling factors of each component. */
  readonly sampling: readonly (readonly [h: number, v: number])[];
  /** Components of each scan; one scan with all of them by default. */
  readonly scans?: readonly (readonly number[])[];
  readonly restartInterval?: number;
  /** Leave the height out of the frame header and give it in a DNL segment. */
  readonly dnl?: boolean;
  /** Transform byte of an Adobe segment; none by default. */
  readonly adobe?: number;
  readonly ids?: readonly number[];
  /** Leave the Huffman tables out, as Motion JPEG does. */
  readonly withoutTables?: boolean;
  readonly seed?: number;
  /** Make every block flat, with this DC coefficient. */
  readonly flat?: number;
}

export interface Built {
  readonly bytes: Uint8Array;
  /** Planes of `width × height` samples, chroma repeated, before any colour conversion. */
  readonly planes: Float64Array[];
}

interface Plane {
  readonly h: number;
  readonly v: number;
  readonly blocksPerLine: number;
  readonly blocks: Int32Array[];
}

const QUANT = 3;

/** Builds the file. */
export function buildJpeg(options: BuildOptions): Built {
  const { width, height, sampling } = options;
  const random = createRandom(options.seed ?? 1);
  const single = sampling.length === 1;
  const factors = single ? [[1, 1]] : sampling;
  const hMax = Math.max(...factors.map(([h]) => h));
  const vMax = Math.max(...factors.map(([, v]) => v));
  const mcusX = Math.ceil(width / (8 * hMax));
  const mcusY = Math.ceil(height / (8 * vMax));
  const planes: Plane[] = factors.map(([h, v]) => ({
    h,
    v,
    blocksPerLine: mcusX * h,
    blocks: Array.from({ length: mcusX * h * mcusY * v }, () => {
      return options.flat === undefined ? randomBlock(random) : flatBlock(options.flat);
    }),
  }));
  const bytes: number[] = [0xff, 0xd8];
  const segment = (marker: number, payload: number[]) => {
    const length = payload.length + 2;
    bytes.push(0xff, marker, length >> 8, length & 255, ...payload);
  };
  if (options.adobe !== undefined) {
    segment(0xee, [...new TextEncoder().encode("Adobe"), 0, 100, 0, 0, 0, 0, options.adobe]);
  }
  segment(0xdb, [0, ...new Array(64).fill(QUANT)]);
  const ids = options.ids ?? planes.map((_, index) => index + 1);
  const frameHeight = options.dnl ? 0 : height;
  segment(0xc1, [
    ...[8, frameHeight >> 8, frameHeight & 255, width >> 8, width & 255, planes.length],
    ...planes.flatMap((_, i) => [ids[i], (sampling[i][0] << 4) | sampling[i][1], 0]),
  ]);
  if (!options.withoutTables) {
    for (const [id, spec] of [[0, STANDARD_DC_LUMA], [0x10, STANDARD_AC_LUMA]] as const) {
      segment(0xc4, [id, ...spec.counts, ...spec.symbols]);
    }
  }
  const interval = options.restartInterval ?? 0;
  if (interval > 0) segment(0xdd, [interval >> 8, interval & 255]);
  const scans = options.scans ?? [planes.map((_, index) => index)];
  scans.forEach((scan, index) => {
    segment(0xda, [scan.length, ...scan.flatMap((part) => [ids[part], 0]), 0, 63, 0]);
    const size = { width, height, hMax, vMax, mcusX, mcusY };
    bytes.push(...encodeScan(scan.map((part) => planes[part]), { interval, size }));
    if (index === 0 && options.dnl) segment(0xdc, [height >> 8, height & 255]);
  });
  bytes.push(0xff, 0xd9);
  return {
    bytes: Uint8Array.from(bytes),
    planes: planes.map((plane) => render(plane, { width, height, hMax, vMax })),
  };
}

function randomBlock(random: () => number): Int32Array {
  const block = new Int32Array(64);
  block[0] = Math.floor(random() * 500) - 250;
  const count = Math.floor(random() * 12);
  for (let i = 0; i < count; i++) {
    block[1 + Math.floor(random() ** 2 * 63)] = Math.floor(random() * 60) - 30;
  }
  return block;
}

function flatBlock(dc: number): Int32Array {
  const block = new Int32Array(64);
  block[0] = dc;
  return block;
}

interface Size {
  readonly width: number;
  readonly height: number;
  readonly hMax: number;
  readonly vMax: number;
}

function encodeScan(
  parts: Plane[],
  options: { interval: number; size: Size & { mcusX: number; mcusY: number } },
): number[] {
  const { interval, size } = options;
  const bits = new BitSink();
  const predictors = parts.map(() => 0);
  const single = parts.length === 1;
  const [{ h, v }] = parts;
  const columns = single ? Math.ceil(Math.ceil((size.width * h) / size.hMax) / 8) : size.mcusX;
  const rows = single ? Math.ceil(Math.ceil((size.height * v) / size.vMax) / 8) : size.mcusY;
  for (let mcu = 0; mcu < columns * rows; mcu++) {
    if (interval > 0 && mcu > 0 && mcu % interval === 0) {
      bits.restart((mcu / interval - 1) & 7);
      predictors.fill(0);
    }
    const [x, y] = [mcu % columns, Math.floor(mcu / columns)];
    parts.forEach((part, index) => {
      const [across, down] = single ? [1, 1] : [part.h, part.v];
      for (let by = 0; by < down; by++) {
        for (let bx = 0; bx < across; bx++) {
          const block = part.blocks[(y * down + by) * part.blocksPerLine + x * across + bx];
          encodeBlock(bits, block, predictors[index]);
          predictors[index] = block[0];
        }
      }
    });
  }
  return bits.finish();
}

function encodeBlock(bits: BitSink, block: Int32Array, predictor: number): void {
  bits.value(STANDARD_DC_LUMA, 0, block[0] - predictor);
  let run = 0;
  for (let k = 1; k < 64; k++) {
    if (block[k] === 0) {
      run++;
      continue;
    }
    for (; run > 15; run -= 16) bits.symbol(STANDARD_AC_LUMA, 0xf0);
    bits.value(STANDARD_AC_LUMA, run, block[k]);
    run = 0;
  }
  if (run > 0) bits.symbol(STANDARD_AC_LUMA, 0);
}

class BitSink {
  readonly #bytes: number[] = [];
  #held = "";

  symbol(spec: HuffmanSpec, symbol: number): void {
    let code = 0;
    let index = 0;
    for (let length = 1; length <= 16; length++, code <<= 1) {
      for (let i = 0; i < spec.counts[length - 1]; i++, index++, code++) {
        if (spec.symbols[index] === symbol) return this.#put(code, length);
      }
    }
    throw new Error(`no code for symbol ${symbol}`);
  }

  value(spec: HuffmanSpec, run: number, value: number): void {
    const size = 32 - Math.clz32(Math.abs(value));
    this.symbol(spec, (run << 4) | size);
    this.#put(value < 0 ? value + (1 << size) - 1 : value, size);
  }

  restart(index: number): void {
    this.#flush();
    this.#bytes.push(0xff, 0xd0 + index);
  }

  finish(): number[] {
    this.#flush();
    return this.#bytes;
  }

  #put(value: number, count: number): void {
    if (count > 0) this.#held += value.toString(2).padStart(count, "0");
    while (this.#held.length >= 8) {
      const byte = parseInt(this.#held.slice(0, 8), 2);
      this.#held = this.#held.slice(8);
      this.#bytes.push(byte);
      if (byte === 0xff) this.#bytes.push(0);
    }
  }

  #flush(): void {
    if (this.#held.length > 0) this.#put(0xff >> this.#held.length, 8 - this.#held.length);
  }
}

/** The samples of a plane by the defining formula (T.81 A.3.3), repeated to the picture's size. */
function render(plane: Plane, size: Size): Float64Array {
  const decoded = plane.blocks.map(inverseTransform);
  const out = new Float64Array(size.width * size.height);
  const lastX = Math.ceil((size.width * plane.h) / size.hMax) - 1;
  const lastY = Math.ceil((size.height * plane.v) / size.vMax) - 1;
  for (let y = 0; y < size.height; y++) {
    const sy = Math.min(Math.floor((y * plane.v) / size.vMax), lastY);
    for (let x = 0; x < size.width; x++) {
      const sx = Math.min(Math.floor((x * plane.h) / size.hMax), lastX);
      const block = decoded[(sy >> 3) * plane.blocksPerLine + (sx >> 3)];
      out[y * size.width + x] = block[(sy & 7) * 8 + (sx & 7)];
    }
  }
  return out;
}

function inverseTransform(block: Int32Array): Float64Array {
  const coefficients = new Float64Array(64);
  for (let k = 0; k < 64; k++) coefficients[ZIGZAG[k]] = block[k] * QUANT;
  const out = new Float64Array(64);
  for (let y = 0; y < 8; y++) {
    for (let x = 0; x < 8; x++) {
      let sum = 0;
      for (let v = 0; v < 8; v++) {
        for (let u = 0; u < 8; u++) {
          if (coefficients[v * 8 + u] === 0) continue;
          sum += (u ? 1 : Math.SQRT1_2) * (v ? 1 : Math.SQRT1_2) * coefficients[v * 8 + u] *
            Math.cos(((2 * x + 1) * u * Math.PI) / 16) * Math.cos(((2 * y + 1) * v * Math.PI) / 16);
        }
      }
      out[y * 8 + x] = Math.min(255, Math.max(0, sum / 4 + 128));
    }
  }
  return out;
}
