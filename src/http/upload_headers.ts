import type { UploadRequest, Visibility } from "../uploads/ports.ts";
import { AppError } from "../errors.ts";
import { readDigests } from "./content_digest.ts";
import { parseParameterizedField, readFileName } from "./parameterized_field.ts";

/** What the headers and the query of a request say about its body. */
export type UploadHeaders = Pick<
  UploadRequest,
  | "fileName"
  | "claimedType"
  | "contentLength"
  | "expectedSha256Digests"
  | "visibility"
>;

/** Longest media type that is passed on. Characters. */
const MAX_TYPE_LENGTH = 255;

/**
 * Reads what a request says about its body: `Content-Length`, `Content-Type`, `Content-Digest`,
 * `Repr-Digest`, and the file name from `Content-Disposition` or else from `?fileName=`; the
 * visibility from `?visibility=`.
 *
 * @throws {AppError} `unsupported_encoding`, `invalid_header`, `invalid_request`.
 */
export function readUploadHeaders(headers: Headers, query: URLSearchParams): UploadHeaders {
  assertIdentityEncoding(headers.get("content-encoding"));
  const disposition = headers.get("content-disposition");
  return {
    contentLength: parseContentLength(headers.get("content-length")),
    claimedType: parseClaimedType(headers.get("content-type")),
    fileName: disposition === null
      ? query.get("fileName")
      : readFileName(parseParameterizedField(disposition)) ?? query.get("fileName"),
    expectedSha256Digests: readDigests(headers),
    visibility: parseVisibility(query.get("visibility")),
  };
}

/**
 * Refuses every content coding: assets are the bytes as received, and inflating them would make
 * the hash, the cap and the stored size three different things.
 *
 * @throws {AppError} `unsupported_encoding`, with `Accept-Encoding` (RFC 9110 section 15.5.16).
 */
export function assertIdentityEncoding(contentEncoding: string | null): void {
  if (contentEncoding === null || /^[ \t]*(identity)?[ \t]*$/i.test(contentEncoding)) return;
  throw new AppError("unsupported_encoding", "Send the bytes as they are, without encoding them", {
    responseHeaders: { "accept-encoding": "identity" },
  });
}

/** @throws {AppError} `invalid_header` when it is not a number of bytes. */
export function parseContentLength(value: string | null): number | undefined {
  if (value === null) return undefined;
  if (!/^\d{1,15}$/.test(value)) {
    throw new AppError("invalid_header", "Content-Length must be a number of bytes");
  }
  return Number(value);
}

/**
 * Refuses a body by its declared length, before a byte of it is read.
 *
 * @throws {AppError} `body_too_large`.
 */
export function assertDeclaredSize(contentLength: number | undefined, maxBytes: number): void {
  if (contentLength === undefined || contentLength <= maxBytes) return;
  throw new AppError("body_too_large", `The body is larger than the limit of ${maxBytes} bytes`, {
    extensions: { limitBytes: maxBytes },
  });
}

/** @throws {AppError} `invalid_request` for a word that is neither of the two. */
export function parseVisibility(value: string | null): Visibility | undefined {
  if (value === null) return undefined;
  if (value === "public" || value === "private") return value;
  throw new AppError("invalid_request", 'visibility must be "public" or "private"');
}

function parseClaimedType(value: string | null): string | null {
  return value !== null && value.length <= MAX_TYPE_LENGTH ? value : null;
}
