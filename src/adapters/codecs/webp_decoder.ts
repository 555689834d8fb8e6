/**
 * WebP by libwebp, compiled to WebAssembly by the jSquash project.
 *
 * @module
 */

import { AppError } from "../../errors.ts";
import type { ImageDecoder } from "../../image/pipeline.ts";
import { writeRgbaStrips } from "../../image/rgba_source.ts";
import { firstWebpFrame, placeOnCanvas } from "./webp_frame.ts";
import {
  checkDecodedSize,
  type EmscriptenFactory,
  instantiateEmscripten,
  loadWasmModule,
  runVendor,
} from "./wasm_module.ts";

interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

interface WebpModule {
  decode(bytes: Uint8Array): Pixels | null;
}

/** Creates the decoder; libwebp is loaded with the first picture. */
export function createWebpDecoder(): ImageDecoder {
  return {
    formats: ["webp"],
    traits: { scales: [1], crops: false },
    async decode(bytes, facts, { sink }) {
      const { still, left, top, width, height } = firstWebpFrame(bytes, facts);
      const frame = await decodeStill(still);
      checkDecodedSize("WebP", frame, { width, height });
      const pixels = placeOnCanvas(frame.data, { left, top, width, height }, facts);
      writeRgbaStrips({ width: facts.width, height: facts.height, pixels }, sink);
    },
  };
}

async function decodeStill(still: Uint8Array): Promise<Pixels> {
  const { default: factory } = await import("@jsquash/webp/codec/dec/webp_dec.js");
  const url = import.meta.resolve("@jsquash/webp/codec/dec/webp_dec.wasm");
  const module = await loadWasmModule(url);
  return await runVendor("WebP", async () => {
    const codec = await instantiateEmscripten(
      factory as unknown as EmscriptenFactory<WebpModule>,
      module,
    );
    const pixels = codec.decode(still);
    if (!pixels) throw new AppError("image_undecodable", "The WebP cannot be decoded");
    return pixels;
  });
}
