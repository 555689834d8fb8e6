/**
 * JPEG decoder in plain TypeScript: baseline, extended 8-bit and progressive (ITU-T T.81), with
 * scaled decoding in steps of 1/8, any sampling factors, and 1, 3 or 4 components.
 *
 * Arithmetic-coded, lossless, hierarchical and 12-bit files are refused as `unsupported`. Files
 * whose entropy-coded data is cut off or contradicts itself are refused, never half decoded; only a
 * missing end-of-image marker is forgiven, and what follows the marker is not looked at. At 1/1 the
 * samples equal those of libjpeg bit by bit.
 *
 * In reading order: `marker_reader.ts` walks the segments (`frame_header.ts`, `table_segments.ts`),
 * `bit_reader.ts` and `huffman_table.ts` turn bits into symbols, `sequential_decoder.ts` and
 * `progressive_decoder.ts` (with `scan_plan.ts`) turn symbols into samples through
 * `inverse_dct.ts`, and `strip_writer.ts` turns samples into strips.
 *
 * @module
 */
import { Component } from "./component.ts";
import type { JpegHeader } from "./frame_header.ts";
import { block } from "./inverse_dct.ts";
import { JpegError } from "./jpeg_error.ts";
import { MarkerReader } from "./marker_reader.ts";
import type { InkMixer, LaneSpace, StripSink } from "./ports.ts";
import { decodeProgressive } from "./progressive_decoder.ts";
import { decodeSequential } from "./sequential_decoder.ts";
import { type JpegRegion, stripBytes, StripWriter } from "./strip_writer.ts";

/** What a decode may cost at most. */
export interface JpegLimits {
  /** Pixels of the picture before scaling. */
  readonly maxPixels: number;
  /** Scans of the file; each costs a pass over the picture whatever its bytes. */
  readonly maxScans: number;
  /** Bytes of samples, coefficients and strips; see `estimateJpegBytes`. */
  readonly maxBufferBytes: number;
}

/** Limits for options that give none. */
export const DEFAULT_JPEG_LIMITS: JpegLimits = {
  maxPixels: 100_000_000,
  maxScans: 100,
  maxBufferBytes: 512 * 1024 * 1024,
};

/** The scales of a decode, in eighths: a block of 8×8 samples becomes one of 1×1 to 8×8. */
export type JpegScale = 0.125 | 0.25 | 0.375 | 0.5 | 0.625 | 0.75 | 1;

export interface DecodeJpegOptions {
  /** Multiplies width and height, rounding up. */
  readonly scale: JpegScale;
  /** The part of the scaled picture to deliver, in its pixels; all of it by default. */
  readonly region?: JpegRegion;
  /** Whether subsampled chroma is interpolated (default) or repeated. Never at 1/8. */
  readonly smoothChroma?: boolean;
  /**
   * Whether a decode at 1/2, 1/4 or 1/8 equals the mean of the pixels of a full one, as libjpeg's
   * does. Off by default: leaving the frequencies out that alias is faster and closer to a good filter.
   */
  readonly exactMean?: boolean;
  /**
   * How much a scaled decode weakens high frequencies: 1 (default) as the mean of pixels does, for
   * pictures that a filter makes smaller still; 0 not at all, for those that stay almost as they are.
   */
  readonly softness?: number;
  /**
   * By how many levels (root mean square, of 255) a scaled decode of a progressive file may be off to
   * leave its last scans unread. 0 by default.
   */
  readonly tolerance?: number;
  readonly limits?: Partial<JpegLimits>;
  /** Mixes the inks of CMYK and YCCK pictures by their profile; plainly by default. */
  readonly mixer?: InkMixer | null;
}

/**
 * Reads the frame header of a JPEG and what decides its colours, without decoding.
 * Throws `JpegError`.
 */
export function parseJpegHeader(bytes: Uint8Array): JpegHeader {
  const reader = new MarkerReader(bytes);
  const scan = reader.nextScan();
  if (!scan || !reader.header) {
    throw new JpegError("truncated", "The file ends before its first scan");
  }
  return reader.header;
}

/**
 * Bytes that `decodeJpeg` will allocate for samples, coefficients and strips of a whole picture,
 * from the headers alone; exact but for some 100 KB of tables. Progressive pictures and those whose
 * scans are not interleaved need far more than others. Throws `JpegError` like `parseJpegHeader`.
 */
export function estimateJpegBytes(bytes: Uint8Array, scale: JpegScale): number {
  const reader = new MarkerReader(bytes);
  const scan = reader.nextScan();
  const header = reader.header;
  if (!scan || !header) throw new JpegError("truncated", "The file ends before its first scan");
  const components = header.components.map((frame) =>
    new Component(frame, header, { scale, exactMean: false, softness: 1 })
  );
  const wholePlanes = !header.progressive && scan.components.length < components.length;
  return components.reduce(
    (sum, component) =>
      sum + component.planeBytes(wholePlanes) +
      (header.progressive ? component.coefficientBytes() : 0),
    stripBytes(Math.ceil(header.width * scale)),
  );
}

/** Size of a picture after a scaled decode. */
export function scaledJpegSize(
  header: Pick<JpegHeader, "width" | "height">,
  scale: JpegScale,
): { width: number; height: number } {
  return { width: Math.ceil(header.width * scale), height: Math.ceil(header.height * scale) };
}

/**
 * Decodes a JPEG into strips of packed pixels, top to bottom.
 *
 * `ycc` and `gray` pictures are delivered as they are coded; `rgb`, CMYK and YCCK as `rgb`. The
 * decode stops, without looking at the rest of the file, when the sink or the region needs no more
 * rows. Throws `JpegError`; strips may have been written by then.
 */
export function decodeJpeg(
  bytes: Uint8Array,
  options: DecodeJpegOptions,
  sink: StripSink,
): void {
  const limits = { ...DEFAULT_JPEG_LIMITS, ...options.limits };
  const reader = new MarkerReader(bytes);
  const firstScan = reader.nextScan();
  const header = reader.header;
  if (!firstScan || !header) {
    throw new JpegError("truncated", "The file ends before its first scan");
  }
  if (header.width * header.height > limits.maxPixels) {
    throw new JpegError("budget", `The picture has more than ${limits.maxPixels} pixels`);
  }
  const { scale, exactMean = false, softness = 1, tolerance = 0 } = options;
  const components = header.components.map((frame) =>
    new Component(frame, header, { scale, exactMean, softness })
  );
  const size = scaledJpegSize(header, scale);
  const region = options.region ?? { x: 0, y: 0, ...size };
  checkRegion(region, size);
  const mcuWidth = Math.max(...header.components.map(({ h }) => h)) * (8 * scale);
  const mcuHeight = Math.max(...header.components.map(({ v }) => v)) * (8 * scale);
  const smooth = (options.smoothChroma ?? true) && scale > 0.125;
  const mixer = options.mixer ?? null;
  const picture = { header, components, region, height: size.height, mcuHeight, smooth, mixer };
  // One pixel more on each side: interpolation looks at the neighbours of the region.
  const range = {
    mcusPerLine: Math.ceil(size.width / mcuWidth),
    mcuRows: Math.ceil(size.height / mcuHeight),
    fromColumn: Math.floor(Math.max(0, region.x - 2) / mcuWidth),
    toColumn: Math.ceil(Math.min(size.width, region.x + region.width + 2) / mcuWidth),
    fromRow: Math.floor(Math.max(0, region.y - 2) / mcuHeight),
    toRow: Math.ceil(Math.min(size.height, region.y + region.height + 2) / mcuHeight),
  };
  const budget = limits.maxBufferBytes - stripBytes(region.width);
  const writer = () => {
    sink.begin({
      width: region.width,
      height: region.height,
      space: spaceOf(header),
      alpha: false,
    });
    return new StripWriter(sink, picture);
  };
  // A decode that failed may have left coefficients behind; transforms expect a cleared block.
  block.fill(0);
  const { maxScans } = limits;
  const job = { reader, firstScan, components, range, writer, maxScans, tolerance, budget };
  if (header.progressive) decodeProgressive(job);
  else decodeSequential(job);
}

function spaceOf(header: JpegHeader): LaneSpace {
  return header.color === "gray" || header.color === "ycc" ? header.color : "rgb";
}

function checkRegion(region: JpegRegion, size: { width: number; height: number }): void {
  const { x, y, width, height } = region;
  const inside = [x, y, width, height].every(Number.isInteger) && x >= 0 && y >= 0 &&
    width > 0 && height > 0 && x + width <= size.width && y + height <= size.height;
  if (!inside) throw new RangeError("The region does not lie inside the scaled picture");
}
