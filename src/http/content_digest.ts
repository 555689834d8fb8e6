import { parseDictionary } from "structured-headers";
import { AppError } from "../errors.ts";

const SHA256_BYTES = 32;

/**
 * The SHA-256 that a `Content-Digest` or `Repr-Digest` field holds (RFC 9530), or null when it
 * holds none: digests by algorithms that are not known here are ignored, as the RFC asks.
 *
 * @param value The field's value: a dictionary of byte sequences (RFC 9651), or null when absent.
 * @throws {AppError} `invalid_header` when it is not, or the digest is not 32 bytes.
 */
export function parseDigestField(value: string | null): Uint8Array | null {
  if (value === null) return null;
  const member = parseMembers(value).get("sha-256");
  if (member === undefined) return null;
  const digest = member[0];
  if (!(digest instanceof ArrayBuffer) || digest.byteLength !== SHA256_BYTES) {
    throw malformed("its sha-256 must be a byte sequence of 32 bytes");
  }
  return new Uint8Array(digest);
}

/**
 * Every SHA-256 that a message's digest fields claim for its body. Both fields speak of the same
 * bytes here, since no content coding but identity is accepted.
 *
 * @throws {AppError} As {@linkcode parseDigestField}.
 */
export function readDigests(headers: Pick<Headers, "get">): Uint8Array[] {
  return ["content-digest", "repr-digest"]
    .map((name) => parseDigestField(headers.get(name)))
    .filter((digest) => digest !== null);
}

function parseMembers(value: string): ReturnType<typeof parseDictionary> {
  try {
    return parseDictionary(value);
  } catch (cause) {
    throw malformed("it must be a dictionary such as sha-256=:…:", cause);
  }
}

function malformed(why: string, cause?: unknown): AppError {
  return new AppError("invalid_header", `The digest field is malformed: ${why}`, { cause });
}
