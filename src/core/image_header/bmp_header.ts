/**
 * BMP: the file and information headers (Microsoft's BITMAPCOREHEADER to BITMAPV5HEADER).
 *
 * @module
 */

import { buildImageFacts, type ImageFacts } from "../image_facts.ts";
import { hasText, i32le, u16le, u32le } from "./byte_order.ts";
import { type HeaderReader, undecodable } from "./header_reader.ts";
import { locateIcc } from "./icc_profile.ts";

const CORE_HEADER_BYTES = 12;
const V5_HEADER_BYTES = 124;
const HEADER_BYTES = new Set([12, 16, 40, 52, 56, 64, 108, 124]);

const COMPRESSIONS: Readonly<Record<number, string>> = {
  0: "none",
  1: "rle8",
  2: "rle4",
  3: "bitfields",
  4: "jpeg",
  5: "png",
  6: "bitfields",
};

/** Reads the headers. Rows may be stored bottom-up or top-down; both are orientation 1. */
export async function parseBmpHeader(reader: HeaderReader): Promise<ImageFacts> {
  const headerBytes = u32le(await reader.load(14, 4), 0);
  if (!HEADER_BYTES.has(headerBytes)) throw undecodable("The BMP has an unknown header");
  const info = await reader.load(14, headerBytes);
  const core = headerBytes === CORE_HEADER_BYTES;
  const width = core ? u16le(info, 4) : i32le(info, 4);
  const height = core ? u16le(info, 6) : Math.abs(i32le(info, 8));
  const planes = u16le(info, core ? 8 : 12);
  const bits = u16le(info, core ? 10 : 14);
  const compression = headerBytes >= 40 ? u32le(info, 16) : 0;
  const alphaMask = headerBytes >= 56 ? u32le(info, 52) : 0;
  if (width < 1 || height < 1 || planes !== 1 || ![1, 2, 4, 8, 16, 24, 32].includes(bits)) {
    throw undecodable("The BMP header has an impossible size or pixel format");
  }
  const embedded = headerBytes === V5_HEADER_BYTES && hasText(info, 56, "DEBM");
  const icc = { offset: 14 + u32le(info, 112), length: u32le(info, 116) };
  return buildImageFacts({
    format: "bmp",
    width,
    height,
    bitDepth: bits <= 8 ? bits : bits === 16 ? 5 : 8,
    colorModel: bits <= 8 ? "palette" : "rgb",
    hasAlpha: bits > 8 && alphaMask !== 0,
    compression: COMPRESSIONS[compression] ?? `bmp-${compression}`,
  }, embedded ? await locateIcc(reader, { parts: [icc] }) : null);
}
