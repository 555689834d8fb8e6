/**
 * API keys as this feature sees them, and what it needs from outside.
 *
 * @module
 */
import type { Scope } from "../core/principal.ts";

/** What a key may do and for whom. */
export interface KeyGrant {
  /** Whose references the key sees and makes. */
  readonly tenant: string;
  readonly scopes: readonly Scope[];
  /** For people, in lists. May be empty. */
  readonly label: string;
  /** Bytes that it may upload per UTC day; null is no limit. */
  readonly bytesPerDay: number | null;
  /** Uploads that it may have under way at once; null is the service's default. */
  readonly concurrentUploads: number | null;
  /** From when on it is refused; null is never. */
  readonly expiresAt: Date | null;
}

/** A key that may be used now. */
export interface ActiveKey extends Omit<KeyGrant, "label" | "expiresAt"> {
  /** Names the key in logs and lists; not a secret. */
  readonly id: string;
  /** SHA-256 of the key, 64 hex digits. */
  readonly keySha256: string;
}

/** A key as it is listed. */
export interface ListedKey extends KeyGrant {
  readonly id: string;
  readonly createdAt: Date;
  /** To the minute; null when it was never used. */
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

/** Finds keys at each request. */
export interface KeyFinder {
  /** The key with this SHA-256 (64 hex digits), unless it is unknown, expired or revoked. */
  findActive(keySha256: string): Promise<ActiveKey | null>;
  /** Notes that the key is in use; writes at most once a minute. */
  touch(id: string): Promise<void>;
}

/** Manages keys. */
export interface KeyRegistry {
  add(key: KeyGrant & { readonly id: string; readonly keySha256: string }): Promise<void>;
  /** Oldest first; those of one tenant where it is given. */
  list(tenant: string | null): Promise<ListedKey[]>;
  /** Returns false when there is no such key. Repeating it changes nothing. */
  revoke(id: string): Promise<boolean>;
}
