import { Buffer } from "node:buffer";
import type { AssetRecord } from "../variants/ports.ts";
import { formatContentDisposition } from "./content_disposition.ts";

/** Types that a browser only shows or plays; everything else might run in our origin. */
const INERT =
  /^(?:image\/(?:jpeg|png|apng|gif|webp|avif|heic|heif|bmp|tiff|jxl|x-icon|vnd\.microsoft\.icon)|(?:audio|video)\/[a-z0-9][a-z0-9.+-]*)$/;

const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/;

/**
 * Builds the headers that say what an original is.
 *
 * The type is the one sniffed from its bytes, and browsers must keep to it. What is not known to be
 * inert (SVG, HTML, XML, PDF, unknown) is offered as a download and, should it be opened all the
 * same, is put in a sandbox without any source.
 */
export function buildOriginalHeaders(
  record: Pick<AssetRecord, "hash" | "mediaType" | "fileName">,
): Record<string, string> {
  const mediaType = record.mediaType !== null && MEDIA_TYPE.test(record.mediaType)
    ? record.mediaType
    : "application/octet-stream";
  const inert = INERT.test(mediaType);
  return {
    "content-type": mediaType,
    "content-disposition": formatContentDisposition(
      inert ? "inline" : "attachment",
      record.fileName,
    ),
    ...(inert ? {} : { "content-security-policy": "default-src 'none'; sandbox" }),
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "cross-origin",
    "accept-ranges": "bytes",
    "repr-digest": formatDigest(record.hash),
  };
}

/** Formats a SHA-256 in hex for `Repr-Digest` and `Content-Digest` (RFC 9530). */
export function formatDigest(hash: string): string {
  return `sha-256=:${Buffer.from(hash, "hex").toString("base64")}:`;
}
