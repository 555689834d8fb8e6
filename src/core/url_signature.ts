/**
 * Signed delivery URLs: `{path}?exp={seconds}&kid={key id}&sig={signature}`.
 *
 * The signature is HMAC-SHA256 (RFC 2104) in base64url over the path, the expiry and the key id. The
 * expiry is rounded up to a bucket, so that everybody who signs the same path within one bucket gets
 * the same URL, and shared caches keep one copy of it. Keys are named, so that a new one can be used
 * while the URLs of the old one still hold.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import { AppError } from "../errors.ts";

/** The keys that signatures may have been made with. */
export interface SigningKeys {
  /** Secrets by key id. Ids are letters, digits, `_` and `-`. */
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  /** The key that new signatures are made with. */
  readonly currentKeyId: string;
}

/** What a valid signature grants. */
export interface SignedAccess {
  /** Unix time in seconds at which it ends. */
  readonly expiresAtSeconds: number;
  readonly keyId: string;
}

/** Parses the `FACET_SIGNING_KEYS` format: `id:secret` pairs, comma-separated, the first in use. */
export function parseSigningKeys(text: string): SigningKeys {
  const secrets = new Map<string, Uint8Array>();
  for (const pair of text.split(",").map((part) => part.trim()).filter((part) => part !== "")) {
    const match = /^([A-Za-z0-9_-]{1,32}):([\x21-\x2b\x2d-\x7e]{16,512})$/.exec(pair);
    if (!match) {
      throw new TypeError(
        "Cannot parse signing keys: each is id:secret, the secret at least 16 characters",
      );
    }
    if (secrets.has(match[1])) throw new TypeError("Cannot parse signing keys: an id occurs twice");
    secrets.set(match[1], new TextEncoder().encode(match[2]));
  }
  const currentKeyId = secrets.keys().next().value;
  if (currentKeyId === undefined) throw new TypeError("Cannot parse signing keys: there is none");
  return { secrets, currentKeyId };
}

/**
 * Computes when a signature made now should end: at least `ttlSeconds` away, on a bucket's edge.
 *
 * @returns Unix time in seconds.
 */
export function bucketExpiry(
  nowSeconds: number,
  options: { readonly ttlSeconds: number; readonly bucketSeconds: number },
): number {
  const { ttlSeconds, bucketSeconds } = options;
  return Math.ceil((nowSeconds + ttlSeconds) / bucketSeconds) * bucketSeconds;
}

/**
 * Signs a path.
 *
 * @param path The URL's path exactly as it will be sent, from the slash on, without query.
 * @returns The query, without the question mark.
 */
export function signPath(
  path: string,
  options: {
    readonly keys: SigningKeys;
    readonly expiresAtSeconds: number;
    readonly keyId?: string;
  },
): string {
  const { keys, expiresAtSeconds, keyId = keys.currentKeyId } = options;
  const secret = keys.secrets.get(keyId);
  if (!secret) throw new TypeError(`Cannot sign: there is no key "${keyId}"`);
  const signature = computeSignature(path, { secret, keyId, expiresAtSeconds });
  return `exp=${expiresAtSeconds}&kid=${keyId}&sig=${signature.toString("base64url")}`;
}

/**
 * Verifies the signature of a URL.
 *
 * @param query The query as sent, without the question mark. Other parameters are ignored.
 * @returns Null when the query carries no signature.
 * @throws {AppError} `invalid_signature` (malformed, doubled, wrong, or of an unknown key),
 * `expired_signature`.
 */
export function verifyPath(
  path: string,
  query: string,
  options: { readonly keys: SigningKeys; readonly nowSeconds: number },
): SignedAccess | null {
  if (!/(?:^|&)sig=/.test(query)) return null;
  const parameters = new URLSearchParams(query);
  const signature = single(parameters, "sig", /^[A-Za-z0-9_-]{43}$/);
  const keyId = single(parameters, "kid", /^[A-Za-z0-9_-]{1,32}$/);
  const expiresAtSeconds = Number(single(parameters, "exp", /^[1-9]\d{0,11}$/));
  const secret = options.keys.secrets.get(keyId);
  if (!secret) throw invalid();
  const expected = computeSignature(path, { secret, keyId, expiresAtSeconds });
  const given = Buffer.from(signature, "base64url");
  // Compared in constant time: the time taken must not tell how many bytes were right.
  if (!timingSafeEqual(expected, given)) throw invalid();
  // The last digit has two bits that no byte needs: only one spelling of a signature is right.
  if (given.toString("base64url") !== signature) throw invalid();
  if (expiresAtSeconds <= options.nowSeconds) {
    throw new AppError("expired_signature", "The signature of this URL has expired");
  }
  return { expiresAtSeconds, keyId };
}

function computeSignature(
  path: string,
  key: {
    readonly secret: Uint8Array;
    readonly keyId: string;
    readonly expiresAtSeconds: number;
  },
): Buffer {
  // The prefix keeps these apart from whatever else the same secret may come to sign.
  const message = `facet-url-1\n${key.keyId}\n${key.expiresAtSeconds}\n${path}`;
  return createHmac("sha256", key.secret).update(message).digest();
}

function single(parameters: URLSearchParams, name: string, pattern: RegExp): string {
  const values = parameters.getAll(name);
  if (values.length !== 1 || !pattern.test(values[0])) throw invalid();
  return values[0];
}

function invalid(): AppError {
  return new AppError("invalid_signature", "The signature of this URL is not valid");
}
