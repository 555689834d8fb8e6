/**
 * PNG behind the pipeline's ports.
 *
 * @module
 */

import type { ImageDecoder, ImageEncoder } from "../pipeline.ts";
import { decodePng } from "./decode_png.ts";
import { encodePng } from "./encode_png.ts";

/** Decodes PNG at full size. */
export const PNG_DECODER: ImageDecoder = {
  formats: ["png"],
  traits: { scales: [1], crops: false },
  decode: (bytes, facts, { sink }) => decodePng(bytes, facts, sink),
};

/** Encodes PNG; quality does not apply. */
export const PNG_ENCODER: ImageEncoder = { format: "png", encode: (image) => encodePng(image) };
