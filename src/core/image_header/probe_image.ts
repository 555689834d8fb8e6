/**
 * One entry to all header parsers: the only place that decides what an image is and how large.
 *
 * @module
 */

import type { ImageFacts } from "../image_facts.ts";
import { hasText, u16be } from "./byte_order.ts";
import type { ByteSource } from "./byte_source.ts";
import { parseBmpHeader } from "./bmp_header.ts";
import { parseGifHeader } from "./gif_header.ts";
import { HeaderReader } from "./header_reader.ts";
import { isIsobmffImage, parseIsobmffHeader } from "./isobmff_header.ts";
import { parseJpegHeader } from "./jpeg_header.ts";
import { parsePngHeader } from "./png_header.ts";
import { isSvg, parseSvgHeader, SVG_HEAD_BYTES } from "./svg_header.ts";
import { parseTiffHeader } from "./tiff_header.ts";
import { parseWebpHeader } from "./webp_header.ts";

type Parser = (reader: HeaderReader) => Promise<ImageFacts>;

/**
 * Reads the facts of an image out of its header, in bounded time and memory.
 *
 * @returns Null when the bytes are no image that is known here.
 * @throws {AppError} `image_undecodable` or `image_truncated` when they begin like one but are
 * broken; `unsupported_image` when they are a kind of it that is not rendered;
 * `image_budget_exceeded` when the header itself is over its budgets.
 */
export async function probeImage(source: ByteSource): Promise<ImageFacts | null> {
  const reader = new HeaderReader(source);
  const parser = chooseParser(await reader.loadSome(0, SVG_HEAD_BYTES));
  return parser === null ? null : await parser(reader);
}

function chooseParser(head: Uint8Array): Parser | null {
  if (hasText(head, 0, "\xff\xd8\xff")) return parseJpegHeader;
  if (hasText(head, 0, "\x89PNG\r\n\x1a\n")) return parsePngHeader;
  if (hasText(head, 0, "GIF87a") || hasText(head, 0, "GIF89a")) return parseGifHeader;
  if (hasText(head, 0, "RIFF") && hasText(head, 8, "WEBP")) return parseWebpHeader;
  if (isTiff(head)) return parseTiffHeader;
  if (isBmp(head)) return parseBmpHeader;
  if (isIsobmffImage(head)) return parseIsobmffHeader;
  return isSvg(head) ? parseSvgHeader : null;
}

function isTiff(head: Uint8Array): boolean {
  return hasText(head, 0, "II*\0") || hasText(head, 0, "MM\0*") ||
    hasText(head, 0, "II+\0\x08\0\0\0") || (hasText(head, 0, "MM\0+") && u16be(head, 4) === 8);
}

/** `BM` alone is too common a start: the header's own length must make sense too. */
function isBmp(head: Uint8Array): boolean {
  return hasText(head, 0, "BM") && head.length >= 18 && head[15] === 0 && head[16] === 0 &&
    head[17] === 0 && head[14] >= 12 && head[14] <= 124;
}
