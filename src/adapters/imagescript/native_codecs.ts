/**
 * imagescript's native encoders, loaded on first use (they need `--allow-ffi`).
 *
 * @module
 */

/** One native encoder; the asynchronous form works on a thread of its own. */
export interface NativeEncoder {
  encode_async(
    pixels: Uint8Array,
    options: { readonly width: number; readonly height: number; readonly quality?: number },
  ): Promise<Uint8Array<ArrayBuffer>>;
}

/** The part of imagescript's codec addon that is used here. */
export interface NativeCodecs {
  readonly webp: NativeEncoder;
  readonly jpeg: NativeEncoder;
}

let loading: Promise<NativeCodecs> | null = null;

/** Loads the addon once. Rejects on platforms for which imagescript has no build. */
export function loadNativeCodecs(): Promise<NativeCodecs> {
  loading ??= import("imagescript/codecs/node/index.js")
    .then((module) => module.default as unknown as NativeCodecs);
  return loading;
}
