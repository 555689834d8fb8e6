/**
 * WebP and JPEG by imagescript's native encoders (libwebp at method 4; JPEG 4:4:4).
 *
 * @module
 */

import type { ImageEncoder } from "../../image/pipeline.ts";
import { loadNativeCodecs } from "./native_codecs.ts";

/** Creates the native encoder of a format. */
export function createNativeEncoder(format: "webp" | "jpg"): ImageEncoder {
  return {
    format,
    async encode({ width, height, pixels }, { quality }) {
      const codecs = await loadNativeCodecs();
      const codec = format === "webp" ? codecs.webp : codecs.jpeg;
      const encoded = await codec.encode_async(pixels, { width, height, quality });
      // The addon's buffers live in its own memory; a copy can be transferred to another thread.
      return new Uint8Array(encoded);
    },
  };
}
