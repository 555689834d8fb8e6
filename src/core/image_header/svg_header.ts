/**
 * SVG: whether it is one, and the size that its root element asks for (SVG 2 sections 5.1 and 8.2).
 *
 * This finds the root element without expanding any entity; whether the document is safe to draw is
 * the sanitiser's business.
 *
 * @module
 */

import { buildImageFacts, type ImageFacts } from "../image_facts.ts";
import { decodeXmlText, parseAttributes, skipProlog } from "./xml_prolog.ts";
import { type HeaderReader, undecodable } from "./header_reader.ts";

/** Where the root element has to end. */
export const SVG_HEAD_BYTES = 64 << 10;

/** Size without `width`, `height` and `viewBox`: the replaced element's default (CSS 2.1 10.3.2). */
const DEFAULT_SIZE = { width: 300, height: 150 } as const;

/** CSS pixels in one unit (CSS Values 4 section 6); font-relative units count 16 px to the em. */
const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  px: 1,
  pt: 4 / 3,
  pc: 16,
  in: 96,
  cm: 96 / 2.54,
  mm: 9.6 / 2.54,
  q: 2.4 / 2.54,
  em: 16,
  rem: 16,
  ex: 8,
};

/** The start of the root `svg` element in a document's text, or null when the root is another. */
export function findSvgRoot(text: string): { start: number; end: number } | null {
  const start = skipProlog(text);
  if (start === null || !/^<(?:[A-Za-z_][\w.-]*:)?svg[\s/>]/.test(text.slice(start, start + 64))) {
    return null;
  }
  const end = endOfTag(text, start);
  return end === null ? null : { start, end };
}

/** Whether the first bytes are those of an SVG document. */
export function isSvg(head: Uint8Array): boolean {
  const text = decodeXmlText(head);
  return text !== null && findSvgRoot(text) !== null;
}

/** Reads the root element's size in CSS pixels, rounded up to whole pixels. */
export async function parseSvgHeader(reader: HeaderReader): Promise<ImageFacts> {
  const text = decodeXmlText(await reader.loadSome(0, SVG_HEAD_BYTES));
  const root = text === null ? null : findSvgRoot(text);
  if (text === null || root === null) throw undecodable("The SVG has no root element");
  const attributes = parseAttributes(text.slice(root.start, root.end));
  const box = parseViewBox(attributes.get("viewBox"));
  const size = svgSize(attributes, box);
  const width = Math.ceil(size.width - 1e-6);
  const height = Math.ceil(size.height - 1e-6);
  if (!(width >= 1 && height >= 1 && width <= 0x7fffffff && height <= 0x7fffffff)) {
    throw undecodable("The SVG has an impossible size");
  }
  return buildImageFacts({
    format: "svg",
    width,
    height,
    bitDepth: 8,
    colorModel: "rgb",
    hasAlpha: true,
    compression: "none",
  });
}

function svgSize(
  attributes: ReadonlyMap<string, string>,
  box: { width: number; height: number } | null,
): { width: number; height: number } {
  const width = parseLength(attributes.get("width"));
  const height = parseLength(attributes.get("height"));
  if (width !== null && height !== null) return { width, height };
  if (!box) return { width: width ?? DEFAULT_SIZE.width, height: height ?? DEFAULT_SIZE.height };
  if (width !== null) return { width, height: width * box.height / box.width };
  if (height !== null) return { width: height * box.width / box.height, height };
  return box;
}

/** A length in CSS pixels; null for percentages, `auto`, and what is no length. */
function parseLength(text: string | undefined): number | null {
  const match = /^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([a-zA-Z]*)\s*$/.exec(text ?? "");
  const unit = match && UNITS[match[2].toLowerCase()];
  return unit ? Number(match[1]) * unit : null;
}

function parseViewBox(text: string | undefined): { width: number; height: number } | null {
  const numbers = (text ?? "").trim().split(/[\s,]+/).map(Number);
  const [, , width, height] = numbers;
  return numbers.length === 4 && width > 0 && height > 0 ? { width, height } : null;
}

/** Index after the `>` that ends the tag at `start`, minding quotes. */
function endOfTag(text: string, start: number): number | null {
  let quote = "";
  for (let i = start; i < text.length; i++) {
    const char = text[i];
    if (quote) {
      if (char === quote) quote = "";
    } else if (char === '"' || char === "'") quote = char;
    else if (char === ">") return i + 1;
  }
  return null;
}
