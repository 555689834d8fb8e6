/**
 * PNG files in and out of chunks (W3C PNG third edition, sections 5 and 11.3.2.3 for iCCP).
 *
 * @module
 */

import { crc32, deflateSync } from "node:zlib";
import { latin1, u32be } from "../../core/image_header/byte_order.ts";
import { asciiBytes, be32, brokenOutput, concatBytes } from "./container_bytes.ts";
import { pngProfileName } from "./profile_for_output.ts";

const SIGNATURE_BYTES = 8;
/** The critical chunks, and transparency. */
const NEEDED = new Set(["IHDR", "PLTE", "tRNS", "IDAT", "IEND"]);

/**
 * Keeps only the chunks that are needed to decode. Drops text, EXIF, time, gamma and all others, and
 * what follows IEND.
 *
 * @param icc A profile to put in, or null.
 */
export function rewritePng(file: Uint8Array, icc: Uint8Array | null): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [file.subarray(0, SIGNATURE_BYTES)];
  let at = SIGNATURE_BYTES;
  for (let type = ""; type !== "IEND";) {
    if (at + 12 > file.length) throw brokenOutput("PNG");
    const end = at + 12 + u32be(file, at);
    type = latin1(file, at + 4, 4);
    if (NEEDED.has(type)) parts.push(file.subarray(at, end));
    if (type === "IHDR" && icc) parts.push(iccpChunk(icc));
    at = end;
  }
  return concatBytes(parts);
}

function iccpChunk(icc: Uint8Array): Uint8Array {
  const name = asciiBytes(pngProfileName(icc));
  const body = concatBytes([asciiBytes("iCCP"), name, Uint8Array.of(0, 0), deflateSync(icc)]);
  return concatBytes([be32(body.length - 4), body, be32(crc32(body))]);
}
