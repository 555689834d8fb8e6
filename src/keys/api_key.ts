import { createHash, randomBytes } from "node:crypto";

/** 256 random bits: guessing is hopeless, so that a plain SHA-256 in the table is enough. */
const SECRET_BYTES = 32;
const KEY_PREFIX = "facet_";
const KEY = /^facet_[A-Za-z0-9_-]{43}$/;

/** A new key: the text for its user, and what is kept of it. */
export interface NewApiKey {
  readonly id: string;
  /** Shown once, stored nowhere. The prefix lets secret scanners find leaked keys. */
  readonly key: string;
  readonly keySha256: string;
}

/** Makes a new key from the system's random source. */
export function createApiKey(): NewApiKey {
  const key = KEY_PREFIX + randomBytes(SECRET_BYTES).toString("base64url");
  return { id: `key_${randomBytes(6).toString("hex")}`, key, keySha256: hashApiKey(key) };
}

/** The SHA-256 of a presented key, 64 hex digits. */
export function hashApiKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** Whether `text` looks like a key of ours at all; noise is refused without asking the catalog. */
export function isApiKey(text: string): boolean {
  return KEY.test(text);
}
