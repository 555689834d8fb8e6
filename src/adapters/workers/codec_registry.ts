/**
 * Which decoder reads a source and which encoder writes a variant.
 *
 * Vendor codecs are loaded when the first file of their kind comes, inside the worker.
 *
 * @module
 */

import type { ImageFormat } from "../../core/image_facts.ts";
import { AppError } from "../../errors.ts";
import { JPEG_DECODER } from "../../image/jpeg_codec.ts";
import type { ImageDecoder, ImageEncoder, PipelineParts } from "../../image/pipeline.ts";
import { PNG_DECODER, PNG_ENCODER } from "../../image/png/png_codec.ts";
import type { OutputFormat } from "../../image/render_spec.ts";
import { createAvifDecoder } from "../codecs/avif_codec.ts";
import { createWebpDecoder } from "../codecs/webp_decoder.ts";
import { createWebpEncoder } from "../codecs/webp_encoder.ts";
import { createNativeEncoder } from "../imagescript/native_encoders.ts";

const DECODERS: Partial<Record<ImageFormat, () => ImageDecoder>> = {
  jpeg: () => JPEG_DECODER,
  png: () => PNG_DECODER,
  webp: createWebpDecoder,
  avif: createAvifDecoder,
};

const ENCODERS: Partial<Record<OutputFormat, () => ImageEncoder>> = {
  webp: createWebpEncoder,
  jpg: () => createNativeEncoder("jpg"),
  png: () => PNG_ENCODER,
};

/** Creates the pipeline's parts; codecs are made on first use and kept. */
export function createPipelineParts(): PipelineParts {
  const decoders = new Map<string, ImageDecoder>();
  const encoders = new Map<string, ImageEncoder>();
  return {
    findDecoder({ format }) {
      const create = DECODERS[format];
      if (create === undefined) {
        throw new AppError("unsupported_image", `Images of type ${format} are not rendered`);
      }
      return getOrCreate(decoders, format, create);
    },
    findEncoder(format) {
      const create = ENCODERS[format];
      if (create === undefined) {
        throw new AppError("unsupported_image", `Variants of type ${format} are not made`);
      }
      return getOrCreate(encoders, format, create);
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
