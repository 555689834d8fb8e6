/**
 * Which decoder reads a source and which encoder writes a variant.
 *
 * Vendor codecs are loaded when the first file of their kind comes, inside the worker.
 *
 * @module
 */

import type { ImageFormat } from "../../core/image_facts.ts";
import { BMP_DECODER } from "../../image/bmp/bmp_codec.ts";
import { GIF_DECODER } from "../../image/gif/gif_codec.ts";
import { JPEG_DECODER } from "../../image/jpeg_codec.ts";
import { JPEG_ENCODER } from "../../image/jpeg_encoder.ts";
import type { ImageDecoder, ImageEncoder, PipelineParts } from "../../image/pipeline.ts";
import { PNG_DECODER, PNG_ENCODER } from "../../image/png/png_codec.ts";
import type { OutputFormat } from "../../image/render_spec.ts";
import { TIFF_DECODER } from "../../image/tiff/tiff_codec.ts";
import { createAvifDecoder, createAvifEncoder } from "../codecs/avif_codec.ts";
import { createHeicDecoder } from "../codecs/heic_decoder.ts";
import { createSvgDecoder } from "../codecs/svg_decoder.ts";
import { createWebpDecoder } from "../codecs/webp_decoder.ts";
import { createWebpEncoder } from "../codecs/webp_encoder.ts";

const DECODERS: Readonly<Record<ImageFormat, () => ImageDecoder>> = {
  jpeg: () => JPEG_DECODER,
  png: () => PNG_DECODER,
  gif: () => GIF_DECODER,
  bmp: () => BMP_DECODER,
  webp: createWebpDecoder,
  avif: createAvifDecoder,
  heic: createHeicDecoder,
  svg: createSvgDecoder,
  tiff: () => TIFF_DECODER,
};

const ENCODERS: Readonly<Record<OutputFormat, () => ImageEncoder>> = {
  webp: createWebpEncoder,
  jpg: () => JPEG_ENCODER,
  png: () => PNG_ENCODER,
  avif: createAvifEncoder,
};

/** Creates the pipeline's parts; codecs are made on first use and kept. */
export function createPipelineParts(): PipelineParts {
  const decoders = new Map<string, ImageDecoder>();
  const encoders = new Map<string, ImageEncoder>();
  return {
    findDecoder({ format }) {
      return getOrCreate(decoders, format, DECODERS[format]);
    },
    findEncoder(format) {
      return getOrCreate(encoders, format, ENCODERS[format]);
    },
  };
}

function getOrCreate<T>(kept: Map<string, T>, key: string, create: () => T): T {
  let value = kept.get(key);
  if (value === undefined) {
    value = create();
    kept.set(key, value);
  }
  return value;
}
