/** Helpers of the JPEG tests: decode into plain arrays, compare, find the shared data. */
import { decodeJpeg, type DecodeJpegOptions } from "../../../../src/image/jpeg/decode_jpeg.ts";
import { JpegError } from "../../../../src/image/jpeg/jpeg_error.ts";
import { LANE1, LANE2, type LaneSpace, type RasterInfo } from "../../../../src/image/strip.ts";

/** A decoded picture: one byte a channel, channels interleaved. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly space: LaneSpace;
  readonly channels: number;
  readonly data: Uint8Array;
}

/** Decodes and unpacks; fails when strips are out of order, missing, or hold impossible lanes. */
export function decodeRaster(bytes: Uint8Array, options: DecodeJpegOptions): Raster {
  let info: RasterInfo | null = null;
  let data = new Uint8Array(0);
  let rows = 0;
  decodeJpeg(bytes, options, {
    begin(announced) {
      if (info) throw new Error("begin was called twice");
      info = announced;
      data = new Uint8Array(announced.width * announced.height * channelsOf(announced));
    },
    write(strip) {
      if (!info || strip.y !== rows) throw new Error("a strip is out of order");
      const channels = channelsOf(info);
      const start = strip.y * info.width * channels;
      for (let i = 0; i < strip.rows * info.width; i++) {
        unpack(strip.color[i], channels, data.subarray(start + i * channels));
      }
      rows += strip.rows;
      return true;
    },
  });
  const { width, height, space } = info!;
  if (rows !== height) throw new Error(`got ${rows} of ${height} rows`);
  return { width, height, space, channels: channelsOf(info!), data };
}

/** Why `decodeJpeg` refuses the bytes, or "decoded". Other errors are passed on. */
export function refusalOf(bytes: Uint8Array, options: Partial<DecodeJpegOptions> = {}): string {
  try {
    decodeRaster(bytes, { scale: 1, ...options });
    return "decoded";
  } catch (error) {
    if (error instanceof JpegError) return error.reason;
    throw error;
  }
}

/** Converts to RGB with the formulas and roundings of libjpeg (jdcolor.c). */
export function toRgb(raster: Raster): Uint8Array {
  const { data, space } = raster;
  if (space !== "ycc") return data;
  const rgb = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i += 3) {
    const [y, cb, cr] = [data[i], data[i + 1] - 128, data[i + 2] - 128];
    rgb[i] = y + ((91881 * cr + 32768) >> 16);
    rgb[i + 1] = y + ((-22554 * cb - 46802 * cr + 32768) >> 16);
    rgb[i + 2] = y + ((116130 * cb + 32768) >> 16);
  }
  return new Uint8Array(rgb.buffer);
}

/** The largest difference between two arrays of one length. */
export function maxDifference(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length} and ${b.length}`);
  let max = 0;
  for (let i = 0; i < a.length; i++) max = Math.max(max, Math.abs(a[i] - b[i]));
  return max;
}

/** Peak signal-to-noise ratio in decibels. */
export function psnr(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length} and ${b.length}`);
  let squares = 0;
  for (let i = 0; i < a.length; i++) squares += (a[i] - b[i]) ** 2;
  return squares === 0 ? Infinity : 10 * Math.log10((255 * 255 * a.length) / squares);
}

/** A generator of numbers in [0, 1) that gives the same ones for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A folder of the shared test data, or null when it is not there. */
export function sharedData(path: string): string | null {
  const root = Deno.env.get("FACET_SHARED_DIR") ??
    new URL("../../../../../shared", import.meta.url).pathname;
  try {
    Deno.statSync(`${root}/data/${path}`);
    return `${root}/data/${path}`;
  } catch {
    return null;
  }
}

function channelsOf(info: RasterInfo): number {
  return info.space === "gray" ? 1 : 3;
}

function unpack(packed: number, channels: number, out: Uint8Array): void {
  const third = Math.floor(packed / LANE2);
  const second = Math.floor(packed / LANE1) % LANE1;
  const first = packed % LANE1;
  if (!(first >= 0 && first < 256 && second < 256 && third < 256)) {
    throw new Error(`a pixel holds impossible lanes: ${packed}`);
  }
  if (channels === 1 && packed > 255) throw new Error("a gray pixel uses other lanes");
  out[0] = first;
  if (channels === 3) {
    out[1] = second;
    out[2] = third;
  }
}
