/**
 * Media types: which of them a browser could execute, and telling markup from its first bytes.
 *
 * @module
 */

import { IMAGE_MEDIA_TYPES } from "./image_facts.ts";
import { imageMagic } from "./image_header/image_magic.ts";
import { decodeXmlText, skipProlog } from "./image_header/xml_prolog.ts";

/** How many of the first bytes a sniffer looks at, at most. */
export const SNIFF_BYTES = 64 << 10;

/** The type of bytes that nobody knows (RFC 2046 section 4.5.1). */
export const OCTET_STREAM = "application/octet-stream";

/**
 * Tells the media type from the first bytes of a file (up to {@linkcode SNIFF_BYTES}); never from a
 * name or a claim. Gives {@linkcode OCTET_STREAM} for unknown bytes and never throws for any bytes.
 */
export type MediaTypeSniffer = (head: Uint8Array) => Promise<string>;

/** Types with script or markup besides `…+xml`. */
const ACTIVE_TYPES = new Set([
  "text/html",
  "text/xml",
  "text/xsl",
  "application/xml",
  "text/javascript",
  "application/javascript",
  "application/ecmascript",
  "text/ecmascript",
  "text/css",
  "text/vtt",
  "multipart/related",
  "multipart/x-mixed-replace",
  "message/rfc822",
  "application/x-shockwave-flash",
  "application/x-mimearchive",
]);

/**
 * Whether a browser could execute such content when it is opened on its own: it must be sent with
 * a sandboxing `Content-Security-Policy` and as an attachment.
 *
 * @param mediaType With or without parameters, in any case.
 */
export function isActiveContent(mediaType: string): boolean {
  const essence = mediaType.split(";", 1)[0].trim().toLowerCase();
  return essence.endsWith("+xml") || ACTIVE_TYPES.has(essence);
}

/** What HTML may begin with (WHATWG MIME Sniffing section 7.1, table). */
const HTML_START =
  /^<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|img|meta|link|svg|form|video|object|embed)[\s/>]/i;

/**
 * Tells an image by its signature alone: for broken ones, and for those whose inner structure lies
 * outside the first bytes. Null for AVIF and HEIC, which need more than that.
 */
export function sniffImage(head: Uint8Array): string | null {
  const magic = imageMagic(head);
  return magic === null || magic === "isobmff" ? null : IMAGE_MEDIA_TYPES[magic];
}

/**
 * Tells HTML and XML apart, which magic numbers do badly.
 *
 * @param head The first bytes, up to {@linkcode SNIFF_BYTES}.
 * @returns Null when the bytes are no markup.
 */
export function sniffMarkup(head: Uint8Array): string | null {
  const text = decodeXmlText(head);
  if (text === null) return null;
  const trimmed = text.replace(/^\ufeff?\s*/, "");
  const start = skipProlog(text);
  const root = start === null ? "" : text.slice(start, start + 64);
  if (HTML_START.test(trimmed.slice(0, 64)) || HTML_START.test(root)) {
    const xhtml = trimmed.startsWith("<?xml");
    return xhtml ? "application/xhtml+xml" : "text/html";
  }
  if (trimmed.startsWith("<?xml")) return "application/xml";
  if (/^<!doctype\s/i.test(trimmed)) return "application/xml";
  return trimmed.startsWith("<!--") ? "text/html" : null;
}
