/**
 * WebAssembly modules out of npm packages: compiled once, instantiated for each picture, so that a
 * trap in one leaves nothing behind for the next, and its memory goes away with it.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { AppError } from "../../errors.ts";
import { capWasmMemory } from "./cap_wasm_memory.ts";

/**
 * Most memory of one instance. 50 megapixels take 400 MB in libwebp; admission by estimated bytes
 * keeps honest pictures below this, and the ceiling stops the others.
 */
const MAX_INSTANCE_BYTES = 640 << 20;

const modules = new Map<string, Promise<WebAssembly.Module>>();

/**
 * Compiles a module once per process or worker. The file comes from the package cache: no network.
 *
 * @param url From `import.meta.resolve`.
 */
export function loadWasmModule(url: string): Promise<WebAssembly.Module> {
  let module = modules.get(url);
  if (module === undefined) {
    module = readFile(new URL(url)).then((bytes) =>
      WebAssembly.compile(capWasmMemory(bytes, MAX_INSTANCE_BYTES))
    );
    modules.set(url, module);
    module.catch(() => modules.delete(url));
  }
  return module;
}

/** A module factory as Emscripten generates it, with the options that are used here. */
export type EmscriptenFactory<T> = (options: {
  noInitialRun: boolean;
  print(text: string): void;
  printErr(text: string): void;
  instantiateWasm(
    imports: WebAssembly.Imports,
    done: (instance: WebAssembly.Instance) => void,
  ): WebAssembly.Exports;
}) => Promise<T>;

/** Makes a new instance of a compiled module. */
export async function instantiateEmscripten<T>(
  factory: EmscriptenFactory<T>,
  module: WebAssembly.Module,
): Promise<T> {
  return await factory({
    noInitialRun: true,
    print: () => {},
    printErr: () => {},
    instantiateWasm(imports, done) {
      const instance = new WebAssembly.Instance(module, imports);
      done(instance);
      return instance.exports;
    },
  });
}

/**
 * Runs vendor code over untrusted bytes: whatever it throws, traps included, is the file's fault.
 *
 * @throws {AppError} `image_undecodable`, or the `AppError` that the code itself threw.
 */
export async function runVendor<T>(format: string, code: () => T | Promise<T>): Promise<T> {
  try {
    return await code();
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("image_undecodable", `The ${format} cannot be decoded`, { cause });
  }
}

/** Fails when a decoder comes out with another size than the header probe. */
export function checkDecodedSize(
  format: string,
  decoded: { readonly width: number; readonly height: number },
  facts: { readonly width: number; readonly height: number },
): void {
  if (decoded.width === facts.width && decoded.height === facts.height) return;
  throw new AppError("image_undecodable", `The ${format}'s size differs from its header's`);
}
