/**
 * Taking apart and putting together the files that our own encoders wrote. They are trusted to be
 * well formed: what is not is a bug, never a client's fault.
 *
 * @module
 */

import { AppError } from "../../errors.ts";

/** Joins byte arrays. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** An encoder wrote something that its format does not allow. */
export function brokenOutput(format: string): AppError {
  return new AppError("internal_error", `The ${format} encoder wrote a broken file`);
}

/** Big-endian 32 bits. */
export function be32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16 & 255, value >>> 8 & 255, value & 255);
}

/** Little-endian 32 bits. */
export function le32(value: number): Uint8Array {
  return be32(value).reverse();
}

/** Latin-1 text as bytes. */
export function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** An ISO base media box. */
export function buildBox(type: string, parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 8);
  return concatBytes([be32(length), asciiBytes(type), ...parts]);
}
