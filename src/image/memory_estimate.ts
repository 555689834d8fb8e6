/**
 * How much memory a render will take: an upper estimate for admission, made from the header alone.
 *
 * The figures are bytes per pixel of each part of the pipeline, from what the code allocates, with
 * the vendor decoders' own buffers on top. `bench/` checks them against the resident size.
 *
 * @module
 */

import type { ImageFacts, ImageFormat } from "../core/image_facts.ts";
import type { Size } from "./geometry.ts";
import type { OutputFormat } from "./render_spec.ts";

/** The parts of a render that cost memory. */
export interface EstimateInput {
  readonly facts: Pick<ImageFacts, "format" | "width" | "height" | "progressive" | "bitDepth">;
  readonly decode: { readonly scale: number; readonly raster: Size };
  readonly target: Size;
  readonly canvas: Size;
  readonly format: OutputFormat;
  readonly sourceBytes: number;
}

/** Rows of a strip and of the filter's ring, packed (8 bytes a pixel) with planes besides. */
const STRIP_ROWS = 48;
const STRIP_PIXEL_BYTES = 12;
/** Code, tables and small objects. */
const FIXED_BYTES = 4 * 2 ** 20;

/**
 * Bytes a source pixel of the formats that are decoded whole: RGBA out, the decoder's own planes and
 * its WebAssembly heap. GIF and BMP come in strips over a canvas or a row. Measured at 12 megapixels.
 */
const WHOLE_FRAME_BYTES: Readonly<Record<Exclude<ImageFormat, "jpeg" | "png">, number>> = {
  webp: 16,
  gif: 4,
  bmp: 4,
  tiff: 17,
  svg: 10,
  avif: 22,
  heic: 12,
};

/**
 * Bytes a source pixel of a progressive JPEG in 4:4:4, by scale: 16 bits for every coefficient up to
 * the last one that the scale needs, in zigzag order, and 64 flags a block.
 */
const COEFFICIENT_BYTES: Readonly<Record<number, number>> = {
  0.125: 0.5,
  0.25: 0.85,
  0.375: 1.6,
  0.5: 2.8,
  0.625: 4.3,
  0.75: 5.3,
  1: 6.4,
};

const ENCODER_PIXEL_BYTES: Readonly<Record<OutputFormat, number>> = {
  webp: 16,
  jpg: 8,
  png: 10,
  avif: 40,
};

/** Estimates the bytes one render takes at its peak. */
export function estimateRenderBytes(input: EstimateInput): number {
  const { target, canvas, sourceBytes } = input;
  const output = target.width * target.height * 8 +
    canvas.width * canvas.height * (4 + ENCODER_PIXEL_BYTES[input.format]);
  const strip = Math.max(input.decode.raster.width, target.width) * STRIP_ROWS * STRIP_PIXEL_BYTES;
  return Math.ceil(FIXED_BYTES + sourceBytes + output + strip + decoderBytes(input));
}

function decoderBytes({ facts, decode, sourceBytes }: EstimateInput): number {
  const pixels = facts.width * facts.height;
  if (facts.format === "jpeg") {
    // The unstuffed copy of the entropy data; progressive keeps coefficients besides.
    const coefficients = facts.progressive ? pixels * (COEFFICIENT_BYTES[decode.scale] ?? 6.4) : 0;
    return sourceBytes * 1.25 + coefficients;
  }
  if (facts.format === "png") {
    return facts.progressive ? pixels * 4 : facts.width * 8 * 8;
  }
  const drawn = facts.format === "svg" ? decode.raster.width * decode.raster.height : pixels;
  return drawn * WHOLE_FRAME_BYTES[facts.format];
}
