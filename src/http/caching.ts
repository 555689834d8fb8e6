/**
 * How long answers of the delivery routes may be kept, and by whom.
 *
 * @module
 */
import type { ContentHash } from "../core/content_hash.ts";
import { AppError, type ErrorKind } from "../errors.ts";
import { toAppError } from "./problem.ts";

/** A year: what RFC 9111 caches take for "never changes". */
const YEAR_SECONDS = 31_536_000;
/** How long a cache may give the old answer while it asks for a new one: a day. */
const STALE_SECONDS = 86_400;

/** Seconds that a failure may be kept; kinds that are not listed are `no-store`. */
const FAILURE_SECONDS: Partial<Record<ErrorKind, number>> = {
  // What the URL or the bytes decide alone. Minutes, since the allow-list may be changed.
  invalid: 300,
  forbidden: 300,
  unsupported: 300,
  undecodable: 300,
  // An upload ends these.
  not_found: 5,
  gone: 5,
};

/** Which answers a reply belongs to and for how long it is valid. */
export interface CacheScope {
  readonly hash: ContentHash;
  /** Names what survives a redeploy together, and is a tag for purging it together. */
  readonly cacheId: string;
  /** Seconds until the signature that gave access ends; null when none was needed. */
  readonly accessEndsInSeconds: number | null;
}

/** The tag of everything made from an asset, for purging by tag. */
export function assetTag(hash: ContentHash): string {
  return `asset-${hash}`;
}

/**
 * Builds the caching headers of bytes that a content hash names.
 *
 * They never change, so they are kept for a year, in shared caches also across redeploys
 * (`Deno-Cache-Id`). What needed a signature is kept for as long as the signature is valid: the
 * URL, signature included, is the key of shared caches, so nobody gets at it without.
 */
export function buildCacheHeaders(scope: CacheScope): Record<string, string> {
  const tag = assetTag(scope.hash);
  const tags = { "deno-cache-id": scope.cacheId, "deno-cache-tag": tag, "cache-tag": tag };
  const { accessEndsInSeconds } = scope;
  if (accessEndsInSeconds !== null) {
    const seconds = Math.max(0, Math.min(YEAR_SECONDS, Math.floor(accessEndsInSeconds)));
    const control = `public, max-age=${seconds}`;
    return { "cache-control": control, "deno-cdn-cache-control": control, ...tags };
  }
  const stale = `stale-while-revalidate=${STALE_SECONDS}`;
  return {
    "cache-control": `public, max-age=${YEAR_SECONDS}, immutable, ${stale}`,
    "deno-cdn-cache-control": `public, s-maxage=${YEAR_SECONDS}, ${stale}`,
    ...tags,
  };
}

/** What {@linkcode toDeliveryError} needs to know of the request. */
export interface FailedDelivery {
  /** Whether the client has gone. Asked for only where it matters: its signal is dear. */
  readonly isAborted: () => boolean;
  /** Tags the answer, so that an upload or a purge takes it out of shared caches. */
  readonly hash: ContentHash | null;
}

/**
 * Gives a failure of a delivery route its own lifetime in caches: minutes where nothing but the URL
 * or the bytes decides, seconds where an upload may end it, none where the fault is ours.
 */
export function toDeliveryError(thrown: unknown, request: FailedDelivery): AppError {
  if (!(thrown instanceof AppError) && request.isAborted()) {
    return new AppError("client_closed_request", "The client has gone", { cause: thrown });
  }
  const error = toAppError(thrown);
  const seconds = FAILURE_SECONDS[error.kind];
  if (seconds === undefined || NEVER_KEPT.has(error.code)) return error;
  const tag = request.hash && assetTag(request.hash);
  return error.withHeaders({
    "cache-control": `public, max-age=${seconds}`,
    ...(tag ? { "deno-cache-tag": tag, "cache-tag": tag } : {}),
    ...error.responseHeaders,
  });
}

/** Whether a failure of a delivery route would be the same each time, whatever else changes. */
export function isDecidedByUrl({ kind, code }: AppError): boolean {
  return (kind === "invalid" || kind === "forbidden") && !NEVER_KEPT.has(code);
}

/** Depends on more than the URL: on the time, or on a key that may be rotated. */
const NEVER_KEPT: ReadonlySet<string> = new Set([
  "invalid_signature",
  "expired_signature",
  "signature_required",
]);
