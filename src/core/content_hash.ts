import { AppError } from "../errors.ts";

/** The SHA-256 of an asset's bytes: 64 lower-case hex digits. The only spelling there is. */
export type ContentHash = string & { readonly __brand: "ContentHash" };

const CONTENT_HASH = /^[0-9a-f]{64}$/;

/** Whether `text` is a content hash in its one spelling. */
export function isContentHash(text: string): text is ContentHash {
  return CONTENT_HASH.test(text);
}

/**
 * Parses a content hash, before any I/O is done with it.
 *
 * @throws {AppError} `invalid_hash` when the text is not exactly 64 lower-case hex digits.
 */
export function parseContentHash(text: string): ContentHash {
  if (!isContentHash(text)) {
    throw new AppError("invalid_hash", "A content hash is 64 lower-case hexadecimal digits");
  }
  return text;
}
