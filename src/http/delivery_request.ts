/**
 * What the delivery routes read from a request before they do any work.
 *
 * @module
 */
import { type ContentHash, parseContentHash } from "../core/content_hash.ts";
import { type SignedAccess, type SigningKeys, verifyPath } from "../core/url_signature.ts";
import { AppError } from "../errors.ts";

/** Longest URL path of a delivery; the longest variant has 92 characters. */
const MAX_PATH_LENGTH = 256;

/** A delivery URL, taken apart as it was sent. */
export interface DeliveryUrl {
  /** The path, still encoded: what is parsed and what is signed. */
  readonly path: string;
  readonly hash: ContentHash;
  /** What follows the hash and a slash; empty for an original. */
  readonly rest: string;
  /** Without the question mark. Never part of a key. */
  readonly query: string;
}

/**
 * Takes a URL apart without decoding it: `%36` for `6` would be a second spelling of the same
 * variant, and a second entry in every cache on the way.
 *
 * @throws {AppError} `invalid_hash`, `malformed_variant`.
 */
export function parseDeliveryUrl(url: string): DeliveryUrl {
  const pathStart = url.indexOf("/", url.indexOf("://") + 3);
  const queryStart = url.indexOf("?", pathStart);
  const path = url.slice(pathStart, queryStart < 0 ? undefined : queryStart);
  const slash = path.indexOf("/", 1);
  const hash = parseContentHash(path.slice(1, slash < 0 ? undefined : slash));
  const rest = slash < 0 ? "" : path.slice(slash + 1);
  if (path.length > MAX_PATH_LENGTH || (slash >= 0 && rest === "")) {
    throw new AppError("malformed_variant", "There is no variant of this name");
  }
  return { path, hash, rest, query: queryStart < 0 ? "" : url.slice(queryStart + 1) };
}

/** How signatures are treated. */
export interface SignaturePolicy {
  /** Null when the deployment has no keys: signatures are then unknown parameters. */
  readonly keys: SigningKeys | null;
  /** Whether every delivery needs a signature. */
  readonly required: boolean;
  /** Unix time in seconds. */
  readonly nowSeconds: () => number;
}

/**
 * Finds out whether the URL is signed.
 *
 * @returns Null when it is not.
 * @throws {AppError} `invalid_signature`, `expired_signature`, `signature_required`.
 */
export function authorizeDelivery(url: DeliveryUrl, policy: SignaturePolicy): SignedAccess | null {
  const { keys, required, nowSeconds } = policy;
  const access = keys && url.query !== ""
    ? verifyPath(url.path, url.query, { keys, nowSeconds: nowSeconds() })
    : null;
  if (required && !access) {
    throw new AppError("signature_required", "URLs of this deployment must be signed");
  }
  return access;
}

/**
 * Seconds until access ends that only the signature gave; null when none was needed.
 */
export function accessEndsInSeconds(
  access: SignedAccess | null,
  policy: SignaturePolicy,
  asset: { readonly isPrivate: boolean },
): number | null {
  if (!access || (!policy.required && !asset.isPrivate)) return null;
  return access.expiresAtSeconds - policy.nowSeconds();
}
