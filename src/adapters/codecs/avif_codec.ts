/**
 * AVIF by libavif, compiled to WebAssembly by the jSquash project.
 *
 * The decoder gives stored pixels as 8-bit RGB: `irot` and `imir` are left to the pipeline. Gain
 * maps are not applied, and PQ or HLG transfer is not tone-mapped.
 *
 * @module
 */

import { AppError } from "../../errors.ts";
import { repairAvif } from "../../image/containers/repair_avif.ts";
import type { ImageDecoder, ImageEncoder } from "../../image/pipeline.ts";
import { writeRgbaStrips } from "../../image/rgba_source.ts";
import {
  checkDecodedSize,
  type EmscriptenFactory,
  instantiateEmscripten,
  loadWasmModule,
  runVendor,
} from "./wasm_module.ts";

interface AvifDecodeModule {
  decode(
    bytes: Uint8Array,
    bitDepth: 8,
  ): { width: number; height: number; data: Uint8ClampedArray } | null;
}

interface AvifEncodeModule {
  encode(
    pixels: Uint8Array,
    width: number,
    height: number,
    options: typeof ENCODE_OPTIONS & { quality: number },
  ): Uint8Array | null;
}

/**
 * Speed 8 of 10: about as slow as this service can bear, at sizes close to speed 6. 4:2:0 chroma
 * (`subsample` 1), alpha at the quality of colour (−1), one tile.
 */
const ENCODE_OPTIONS = {
  qualityAlpha: -1,
  denoiseLevel: 0,
  tileColsLog2: 0,
  tileRowsLog2: 0,
  speed: 8,
  subsample: 1,
  chromaDeltaQ: false,
  sharpness: 0,
  tune: 0,
  enableSharpYUV: false,
  bitDepth: 8,
  lossless: false,
} as const;

/** Creates the decoder; libavif is loaded with the first picture. */
export function createAvifDecoder(): ImageDecoder {
  return {
    formats: ["avif"],
    traits: { scales: [1], crops: false },
    async decode(bytes, facts, { sink }) {
      const { default: factory } = await import("@jsquash/avif/codec/dec/avif_dec.js");
      const url = import.meta.resolve("@jsquash/avif/codec/dec/avif_dec.wasm");
      const module = await loadWasmModule(url);
      const decoded = await runVendor("AVIF", async () => {
        const codec = await instantiateEmscripten(
          factory as unknown as EmscriptenFactory<AvifDecodeModule>,
          module,
        );
        return codec.decode(repairAvif(bytes), 8);
      });
      if (!decoded) throw new AppError("image_undecodable", "The AVIF cannot be decoded");
      checkDecodedSize("AVIF", decoded, facts);
      const { width, height, data } = decoded;
      writeRgbaStrips({ width, height, pixels: data }, sink);
    },
  };
}

/** Creates the encoder; libavif is loaded with the first variant. */
export function createAvifEncoder(): ImageEncoder {
  return {
    format: "avif",
    async encode({ width, height, pixels }, { quality }) {
      const { default: factory } = await import("@jsquash/avif/codec/enc/avif_enc.js");
      const url = import.meta.resolve("@jsquash/avif/codec/enc/avif_enc.wasm");
      const codec = await instantiateEmscripten(
        factory as unknown as EmscriptenFactory<AvifEncodeModule>,
        await loadWasmModule(url),
      );
      const encoded = codec.encode(pixels, width, height, { ...ENCODE_OPTIONS, quality });
      if (!encoded) throw new AppError("internal_error", "The AVIF encoder failed");
      return new Uint8Array(encoded);
    },
  };
}
