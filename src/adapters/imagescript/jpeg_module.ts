/**
 * imagescript's JPEG decoder, a WebAssembly module that can shrink while decoding.
 *
 * @module
 */

import { AppError } from "../../errors.ts";
import type { ImageDecoder } from "../../image/pipeline.ts";
import { writeRgbaStrips } from "../../image/rgba_source.ts";

interface Framebuffer {
  readonly width: number;
  readonly height: number;
  /** 0 gray, 1 RGB, 2 CMYK. */
  readonly format: number;
  readonly buffer: Uint8Array;
}

interface JpegModule {
  init(): Promise<{ decode(bytes: Uint8Array, width: number, height: number): Framebuffer }>;
}

/** Creates a decoder that makes a new WebAssembly instance per picture: a trap harms no other. */
export function createJpegModuleDecoder(): ImageDecoder {
  return {
    formats: ["jpeg"],
    traits: { scales: [1, 2, 4, 8], crops: false },
    async decode(bytes, _facts, { plan, sink }) {
      const module = (await import("imagescript/wasm/node/jpeg.js")).default as unknown;
      const { width, height } = plan.raster;
      let frame: Framebuffer;
      try {
        frame = (await (module as JpegModule).init()).decode(bytes, width, height);
      } catch (cause) {
        throw new AppError("image_undecodable", "The JPEG cannot be decoded", { cause });
      }
      writeRgbaStrips({ width: frame.width, height: frame.height, pixels: toRgba(frame) }, sink);
    },
  };
}

function toRgba({ width, height, format, buffer }: Framebuffer): Uint8Array {
  const pixels = new Uint8Array(width * height * 4).fill(255);
  const channels = format === 0 ? 1 : format === 1 ? 3 : 4;
  for (let i = 0, p = 0; i < pixels.length; i += 4, p += channels) {
    const ink = format === 2 ? buffer[p + 3] / 255 : 1;
    pixels[i] = buffer[p] * ink;
    pixels[i + 1] = buffer[channels === 1 ? p : p + 1] * ink;
    pixels[i + 2] = buffer[channels === 1 ? p : p + 2] * ink;
  }
  return pixels;
}
