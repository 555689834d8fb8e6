/**
 * WebP files in and out of chunks (RFC 9649 section 2).
 *
 * @module
 */

import { latin1, u32le } from "../../core/image_header/byte_order.ts";
import { asciiBytes, brokenOutput, concatBytes, le32 } from "./container_bytes.ts";

const ICC_FLAG = 0x20;
const ALPHA_FLAG = 0x10;

/**
 * Keeps only the image and its alpha. Drops EXIF, XMP, unknown chunks and what follows the RIFF.
 *
 * @param options.icc A profile to put in, or null.
 * @param options.width Pixels, 1 to 16,384: the canvas of the extended layout.
 * @param options.alpha Whether the picture is transparent somewhere.
 */
export function rewriteWebp(
  file: Uint8Array,
  options: { icc: Uint8Array | null; width: number; height: number; alpha: boolean },
): Uint8Array<ArrayBuffer> {
  const { icc } = options;
  const image: Uint8Array[] = [];
  let alphaChunk = false;
  for (const { type, bytes } of listChunks(file)) {
    if (type === "ALPH") alphaChunk = true;
    if (type === "ALPH" || type === "VP8 " || type === "VP8L") image.push(bytes);
  }
  if (image.length === 0) throw brokenOutput("WebP");
  if (!icc && !alphaChunk) return riff(image);
  // The flag is a promise to readers: VP8L tells it in its own header, lossy by the ALPH chunk.
  const alpha = alphaChunk || (latin1(image[0], 0, 4) === "VP8L" && options.alpha);
  const flags = (icc ? ICC_FLAG : 0) | (alpha ? ALPHA_FLAG : 0);
  const size = [options.width - 1, options.height - 1].map((side) => le32(side).subarray(0, 3));
  const vp8x = concatBytes([asciiBytes("VP8X"), le32(10), le32(flags), ...size]);
  return riff([vp8x, ...(icc ? [chunk("ICCP", icc)] : []), ...image]);
}

function* listChunks(file: Uint8Array): Generator<{ type: string; bytes: Uint8Array }> {
  const end = Math.min(file.length, 8 + u32le(file, 4));
  for (let at = 12; at + 8 <= end;) {
    const length = u32le(file, at + 4);
    const next = at + 8 + length + (length & 1);
    if (at + 8 + length > file.length) throw brokenOutput("WebP");
    const bytes = file.subarray(at, next);
    yield { type: latin1(file, at, 4), bytes };
    at = next;
  }
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const padding = new Uint8Array(data.length & 1);
  return concatBytes([asciiBytes(type), le32(data.length), data, padding]);
}

function riff(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = chunks.reduce((sum, part) => sum + part.length, 4);
  return concatBytes([asciiBytes("RIFF"), le32(bytes), asciiBytes("WEBP"), ...chunks]);
}
