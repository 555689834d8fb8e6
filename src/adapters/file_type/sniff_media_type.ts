/**
 * Sniffing by magic numbers, with the `file-type` package.
 *
 * @module
 */

import { fileTypeFromBuffer } from "file-type";
import { OCTET_STREAM, SNIFF_BYTES, sniffImage, sniffMarkup } from "../../core/media_type.ts";

/** What `file-type` says of markup: our own look at it is closer. */
const MARKUP_TYPES = new Set(["application/xml", "text/xml"]);

/** An APNG is a PNG to everybody who serves it, and the header probe says so too. */
const APNG = "image/apng";

/**
 * Implements {@linkcode ../../core/media_type.ts} `MediaTypeSniffer`. Markup without a magic number
 * is told by its first tag; a detector that fails on hostile bytes counts as not knowing.
 */
export async function sniffMediaType(head: Uint8Array): Promise<string> {
  const bytes = head.subarray(0, SNIFF_BYTES);
  const known = await detect(bytes);
  if (known === APNG) return "image/png";
  if (known !== null && !MARKUP_TYPES.has(known)) return known;
  return sniffImage(bytes) ?? sniffMarkup(bytes) ?? known ?? OCTET_STREAM;
}

async function detect(bytes: Uint8Array): Promise<string | null> {
  try {
    return (await fileTypeFromBuffer(bytes))?.mime ?? null;
  } catch {
    return null;
  }
}
