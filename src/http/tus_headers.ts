import { Buffer } from "node:buffer";
import { isContentHash } from "../core/content_hash.ts";
import { AppError } from "../errors.ts";
import type { SpanningRequest } from "../uploads/resumable_ports.ts";
import type { ChunkChecksum } from "../uploads/resumable_writer.ts";
import { parseVisibility } from "./upload_headers.ts";

/** The version of the protocol, the only one there is (https://tus.io/protocols/resumable-upload). */
export const TUS_VERSION = "1.0.0";
/** What is spoken of it. */
export const TUS_EXTENSIONS = "creation,creation-with-upload,expiration,checksum,termination";
/** The media type of the bodies. */
export const TUS_CONTENT_TYPE = "application/offset+octet-stream";
/** How many digest bytes each checksum algorithm has. */
const CHECKSUM_BYTES = { sha1: 20, sha256: 32 } as const;
/** The algorithms in the order of preference. */
export const TUS_CHECKSUM_ALGORITHMS: string = Object.keys(CHECKSUM_BYTES).join(",");

/** Longest `Upload-Metadata`. Characters. */
const MAX_METADATA_LENGTH = 4096;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** @throws {AppError} `invalid_header` when it is missing or not a number of bytes. */
export function parseByteCount(name: string, value: string | undefined): number {
  if (value === undefined || !/^\d{1,15}$/.test(value)) {
    throw new AppError("invalid_header", `${name} must be a number of bytes`);
  }
  return Number(value);
}

/**
 * Reads `Upload-Metadata`: the keys `filename` (or `name`), `filetype` (or `contentType`), `sha256`
 * (hexadecimal, must match) and `visibility` mean something here; all are kept for the client.
 *
 * @throws {AppError} `invalid_header`, `invalid_request`.
 */
export function parseUploadMetadata(
  value: string | undefined,
): Pick<
  SpanningRequest,
  "fileName" | "claimedType" | "expectedHash" | "visibility" | "rawMetadata"
> {
  const entries = parsePairs(value ?? "");
  const hash = entries.get("sha256") ?? null;
  if (hash !== null && !isContentHash(hash)) {
    throw malformed("sha256 must be 64 lower-case hexadecimal digits");
  }
  return {
    fileName: entries.get("filename") ?? entries.get("name") ?? null,
    claimedType: entries.get("filetype") ?? entries.get("contentType") ?? null,
    expectedHash: hash,
    visibility: parseVisibility(entries.get("visibility") ?? null) ?? null,
    rawMetadata: value ?? null,
  };
}

/**
 * Reads `Upload-Checksum`: an algorithm and a base64 digest.
 *
 * @throws {AppError} `invalid_header`, also for algorithms that are not announced.
 */
export function parseUploadChecksum(value: string | undefined): ChunkChecksum | undefined {
  if (value === undefined) return undefined;
  const [algorithm, encoded = "", ...rest] = value.trim().split(/ +/);
  if ((algorithm !== "sha1" && algorithm !== "sha256") || rest.length > 0) {
    throw new AppError("invalid_header", `Upload-Checksum may use ${TUS_CHECKSUM_ALGORITHMS}`);
  }
  const digest = Buffer.from(encoded, "base64");
  if (!BASE64.test(encoded) || digest.byteLength !== CHECKSUM_BYTES[algorithm]) {
    throw new AppError("invalid_header", "Upload-Checksum must hold a base64 digest");
  }
  return { algorithm, digest };
}

function parsePairs(value: string): Map<string, string> {
  if (value.length > MAX_METADATA_LENGTH) {
    throw malformed(`at most ${MAX_METADATA_LENGTH} characters`);
  }
  const entries = new Map<string, string>();
  for (const pair of value.split(",").map((each) => each.trim()).filter(Boolean)) {
    const [key, encoded = "", ...rest] = pair.split(" ");
    if (rest.length > 0 || !BASE64.test(encoded) || entries.has(key)) {
      throw malformed("comma-separated pairs of a key, a space and a base64 value");
    }
    entries.set(key, Buffer.from(encoded, "base64").toString("utf8"));
  }
  return entries;
}

function malformed(what: string): AppError {
  return new AppError("invalid_header", `Upload-Metadata is malformed: ${what}`);
}
