/**
 * One entry to all header parsers: the only place that decides what an image is and how large.
 *
 * @module
 */

import type { ImageFacts } from "../image_facts.ts";
import { parseBmpHeader } from "./bmp_header.ts";
import type { ByteSource } from "./byte_source.ts";
import { parseGifHeader } from "./gif_header.ts";
import { HeaderReader } from "./header_reader.ts";
import { type ImageMagic, imageMagic } from "./image_magic.ts";
import { parseIsobmffHeader } from "./isobmff_header.ts";
import { parseJpegHeader } from "./jpeg_header.ts";
import { parsePngHeader } from "./png_header.ts";
import { parseSvgHeader, SVG_HEAD_BYTES } from "./svg_header.ts";
import { parseTiffHeader } from "./tiff_header.ts";
import { parseWebpHeader } from "./webp_header.ts";

const PARSERS: Readonly<Record<ImageMagic, (reader: HeaderReader) => Promise<ImageFacts>>> = {
  jpeg: parseJpegHeader,
  png: parsePngHeader,
  gif: parseGifHeader,
  webp: parseWebpHeader,
  tiff: parseTiffHeader,
  bmp: parseBmpHeader,
  isobmff: parseIsobmffHeader,
  svg: parseSvgHeader,
};

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
  const magic = imageMagic(await reader.loadSome(0, SVG_HEAD_BYTES));
  return magic === null ? null : await PARSERS[magic](reader);
}
