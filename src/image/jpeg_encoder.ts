/**
 * The JPEG encoder behind the pipeline's port.
 *
 * @module
 */

import { encodeJpeg } from "./jpeg/encode_jpeg.ts";
import type { ImageEncoder } from "./pipeline.ts";

/** Encodes baseline JPEG, 4:2:0. */
export const JPEG_ENCODER: ImageEncoder = {
  format: "jpg",
  takesYcc: true,
  encode({ width, height, pixels, space = "rgb" }, { quality }) {
    return encodeJpeg({ width, height, data: pixels, space }, { quality });
  },
};
