import { AppError } from "../errors.ts";
import { type ContentHash, isContentHash } from "./content_hash.ts";

/** Where verified originals live: `raw/ab/cd/{hash}`. */
export const RAW_PREFIX = "raw/";
/** Where bytes wait for their hash: `staging/{uploadId}`. */
export const STAGING_PREFIX = "staging/";
/** Where reconciliation puts objects that nobody owns, under their former key. */
export const QUARANTINE_PREFIX = "quarantine/";

/** Longest key in UTF-8 bytes (S3, R2 and Ceph agree on it). */
export const MAX_KEY_BYTES = 1024;

/** Number of shards that `raw/` is split into: one per first byte of the hash. */
export const RAW_SHARDS = 256;

const STAGING_ID = /^[0-9A-Za-z_-]{1,128}$/;
// What XML 1.0 cannot carry, and so no listing either.
// deno-lint-ignore no-control-regex -- control characters are what is refused
const UNLISTABLE = /[\u0000-\u001f\u007f\ufffe\uffff]/;

/** The key of a verified original. */
export function formatRawKey(hash: ContentHash): string {
  return `${RAW_PREFIX}${hash.slice(0, 2)}/${hash.slice(2, 4)}/${hash}`;
}

/** The hash that `key` names, or null when it is not exactly the key of an original. */
export function parseRawKey(key: string): ContentHash | null {
  const hash = key.slice(RAW_PREFIX.length + 6);
  return isContentHash(hash) && key === formatRawKey(hash) ? hash : null;
}

/** The prefix of shard `shard` (0 to 255) of `raw/`: `raw/00/` … `raw/ff/`. */
export function formatRawShardPrefix(shard: number): string {
  if (!Number.isInteger(shard) || shard < 0 || shard >= RAW_SHARDS) {
    throw new RangeError(`Cannot format a shard prefix: shard is ${shard}`);
  }
  return `${RAW_PREFIX}${shard.toString(16).padStart(2, "0")}/`;
}

/**
 * The key of bytes whose hash is not known yet.
 *
 * @param uploadId 1 to 128 of letters, digits, `-` and `_`.
 * @throws {AppError} `invalid_id`.
 */
export function formatStagingKey(uploadId: string): string {
  if (!STAGING_ID.test(uploadId)) {
    throw new AppError("invalid_id", "An upload id is made of letters, digits, - and _");
  }
  return STAGING_PREFIX + uploadId;
}

/** The upload id that `key` names, or null. */
export function parseStagingKey(key: string): string | null {
  const uploadId = key.slice(STAGING_PREFIX.length);
  return key.startsWith(STAGING_PREFIX) && STAGING_ID.test(uploadId) ? uploadId : null;
}

/** The key under which an orphan is kept until it is deleted for good. */
export function formatQuarantineKey(key: string): string {
  const quarantined = QUARANTINE_PREFIX + key;
  assertObjectKey(quarantined);
  return quarantined;
}

/** The former key of a quarantined object, or null. */
export function parseQuarantineKey(key: string): string | null {
  if (!key.startsWith(QUARANTINE_PREFIX)) return null;
  const former = key.slice(QUARANTINE_PREFIX.length);
  return isObjectKey(former) ? former : null;
}

/**
 * Whether every store takes `key` and no file system or URL parser can be talked into another one:
 * 1 to {@linkcode MAX_KEY_BYTES} bytes of well-formed Unicode, no control character, and no empty,
 * `.` or `..` segment between slashes.
 */
export function isObjectKey(key: string): boolean {
  if (key.length === 0 || key.length > MAX_KEY_BYTES || UNLISTABLE.test(key)) return false;
  if (!key.isWellFormed() || utf8Length(key) > MAX_KEY_BYTES) return false;
  return key.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..");
}

/**
 * Refuses what {@linkcode isObjectKey} refuses.
 *
 * @throws {AppError} `invalid_request`.
 */
export function assertObjectKey(key: string): void {
  if (!isObjectKey(key)) throw new AppError("invalid_request", "The object key is not valid");
}

/**
 * Orders keys by their UTF-8 bytes, as stores list them and as Postgres sorts under `COLLATE "C"`.
 * That is code point order; comparing with `<` is UTF-16 order, which puts U+1F600 before U+FF01.
 *
 * @returns Negative, zero or positive, for `Array.prototype.sort`.
 */
export function compareObjectKeys(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return toCodePointRank(x) - toCodePointRank(y);
  }
  return a.length - b.length;
}

/** Moves surrogates above all other code units, where the code points that they stand for are. */
function toCodePointRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).byteLength;
}
