/**
 * HEIC by libheif and libde265, compiled to WebAssembly (libheif-js).
 *
 * The C interface is used rather than the package's own classes: it can leave turning and mirroring
 * to the pipeline, honours limits, and hands out its pixels without another copy.
 *
 * @module
 */

import { AppError } from "../../errors.ts";
import type { ImageDecoder } from "../../image/pipeline.ts";
import { type RgbaSource, writeRgbaStrips } from "../../image/rgba_source.ts";
import {
  checkDecodedSize,
  type EmscriptenFactory,
  instantiateEmscripten,
  loadWasmModule,
  runVendor,
} from "./wasm_module.ts";

/** The C functions that are used. Those that can fail write a `heif_error` to their first argument. */
interface HeifModule {
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _heif_context_alloc(): number;
  _heif_context_get_security_limits(context: number): number;
  _heif_context_read_from_memory_without_copy(
    error: number,
    context: number,
    bytes: number,
    length: number,
    options: number,
  ): void;
  _heif_context_get_primary_image_handle(error: number, context: number, out: number): void;
  _heif_image_handle_is_premultiplied_alpha(handle: number): number;
  _heif_decoding_options_alloc(): number;
  _heif_decode_image(
    error: number,
    handle: number,
    out: number,
    colorSpace: number,
    chroma: number,
    options: number,
  ): void;
  _heif_image_get_primary_width(image: number): number;
  _heif_image_get_primary_height(image: number): number;
  _heif_image_get_plane_readonly2(image: number, channel: number, strideOut: number): number;
}

// heif_image.h: heif_colorspace_RGB, heif_chroma_interleaved_RGBA, heif_channel_interleaved.
const COLOR_SPACE_RGB = 1;
const CHROMA_RGBA = 11;
const CHANNEL_INTERLEAVED = 10;
/** heif_decoding_options: a version byte, then `ignore_transformations`; after pointers the flag. */
const IGNORE_TRANSFORMATIONS_OFFSET = 1;
const STRICT_DECODING_OFFSET = 21;
/** heif_security_limits: a version byte, then, aligned, `uint64_t max_image_size_pixels`. */
const MAX_PIXELS_OFFSET = 8;

/** Creates the decoder; libheif is loaded with the first picture. */
export function createHeicDecoder(): ImageDecoder {
  return {
    formats: ["heic"],
    traits: { scales: [1], crops: false },
    async decode(bytes, facts, { sink }) {
      const { default: factory } = await import("libheif-js/libheif-wasm/libheif.js");
      const module = await loadWasmModule(
        import.meta.resolve("libheif-js/libheif-wasm/libheif.wasm"),
      );
      const source = await runVendor("HEIC", async () => {
        const heif = await instantiateEmscripten(
          factory as unknown as EmscriptenFactory<HeifModule>,
          module,
        );
        return decodePrimary(heif, bytes, facts.width * facts.height);
      });
      checkDecodedSize("HEIC", source, facts);
      writeRgbaStrips(source, sink);
    },
  };
}

function decodePrimary(heif: HeifModule, bytes: Uint8Array, maxPixels: number): RgbaSource {
  const error = heif._malloc(16);
  const out = heif._malloc(8);
  const input = heif._malloc(bytes.length);
  heif.HEAPU8.set(bytes, input);
  const word = (at: number) => new DataView(heif.HEAPU8.buffer).getUint32(at, true);
  const check = () => {
    if (word(error) !== 0) throw new AppError("image_undecodable", "The HEIC cannot be decoded");
  };

  const context = heif._heif_context_alloc();
  const limits = heif._heif_context_get_security_limits(context);
  // Tiles may be larger than the picture at its edges: one more tile of 1024 × 1024 is allowed.
  new DataView(heif.HEAPU8.buffer).setBigUint64(
    limits + MAX_PIXELS_OFFSET,
    BigInt(maxPixels * 2 + (1 << 20)),
    true,
  );
  heif._heif_context_read_from_memory_without_copy(error, context, input, bytes.length, 0);
  check();
  heif._heif_context_get_primary_image_handle(error, context, out);
  check();
  const handle = word(out);
  const options = heif._heif_decoding_options_alloc();
  heif.HEAPU8[options + IGNORE_TRANSFORMATIONS_OFFSET] = 1;
  heif.HEAPU8[options + STRICT_DECODING_OFFSET] = 1;
  heif._heif_decode_image(error, handle, out, COLOR_SPACE_RGB, CHROMA_RGBA, options);
  check();
  const image = word(out);
  const width = heif._heif_image_get_primary_width(image);
  const height = heif._heif_image_get_primary_height(image);
  const plane = heif._heif_image_get_plane_readonly2(image, CHANNEL_INTERLEAVED, out);
  if (plane === 0) throw new AppError("image_undecodable", "The HEIC has no pixels");
  return {
    width,
    height,
    pixels: closeGaps(heif.HEAPU8, { plane, stride: word(out), width, height }),
    premultiplied: heif._heif_image_handle_is_premultiplied_alpha(handle) !== 0,
  };
}

/** Moves rows together in place: the plane belongs to this picture alone. */
function closeGaps(
  heap: Uint8Array,
  options: { plane: number; stride: number; width: number; height: number },
): Uint8Array {
  const { plane, stride, width, height } = options;
  const rowBytes = width * 4;
  if (stride !== rowBytes) {
    for (let y = 1; y < height; y++) {
      const from = plane + y * stride;
      heap.copyWithin(plane + y * rowBytes, from, from + rowBytes);
    }
  }
  return heap.subarray(plane, plane + height * rowBytes);
}
