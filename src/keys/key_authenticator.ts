import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import { makeRoom } from "../core/make_room.ts";
import { type Principal, SCOPES } from "../core/principal.ts";
import { hashApiKey, isApiKey } from "./api_key.ts";
import type { ActiveKey, KeyFinder } from "./ports.ts";

/** Options of {@linkcode createKeyAuthenticator}. Durations in milliseconds. */
export interface KeyAuthenticatorOptions {
  readonly keys: KeyFinder;
  /** A key from the configuration that may do everything for the tenant `default`. */
  readonly adminKey?: string | undefined;
  /** A clock that never goes back, in milliseconds. */
  readonly now: () => number;
  /**
   * How long an answer of the catalog holds, and so how long after its revocation or expiry a key
   * may still be taken on this instance. Default 5000.
   */
  readonly cacheMs?: number;
  /** How long an unknown key stays unknown. Default 2000. */
  readonly unknownCacheMs?: number;
  /** Keys remembered at most; the oldest give way. Default 4096. */
  readonly maxCached?: number;
}

/** Finds out who presents a key. */
export interface KeyAuthenticator {
  /** The caller, or null when the key is unknown, expired or revoked. */
  authenticate(presentedKey: string): Promise<Principal | null>;
}

/** How often the use of a key is noted. */
const TOUCH_EVERY_MS = 60_000;

interface CacheEntry {
  readonly answer: Promise<Principal | null>;
  expiresAt: number;
  touchedAt: number;
}

/**
 * Creates the check of presented keys. A key in use costs one query per `cacheMs`, however many
 * requests come with it.
 *
 * Keys are looked up by their SHA-256. How long that takes tells nothing of use: who does not know
 * a key cannot choose its hash. The comparisons that decide are constant in time all the same.
 */
export function createKeyAuthenticator(options: KeyAuthenticatorOptions): KeyAuthenticator {
  const { keys, adminKey, now, cacheMs = 5_000, unknownCacheMs = 2_000, maxCached = 4_096 } =
    options;
  const adminSha256 = adminKey === undefined ? null : hashApiKey(adminKey);
  const cache = new Map<string, CacheEntry>();

  function remember(sha256: string): CacheEntry {
    const answer = findPrincipal(keys, sha256);
    const entry: CacheEntry = { answer, expiresAt: now() + cacheMs, touchedAt: -Infinity };
    cache.delete(sha256);
    makeRoom(cache, maxCached);
    cache.set(sha256, entry);
    answer.then((principal) => {
      if (principal === null) entry.expiresAt = now() + unknownCacheMs;
    }, () => {
      // A catalog that is down is asked again at the next request.
      if (cache.get(sha256) === entry) cache.delete(sha256);
    });
    return entry;
  }

  function noteUse(entry: CacheEntry, keyId: string): void {
    if (now() - entry.touchedAt < TOUCH_EVERY_MS) return;
    entry.touchedAt = now();
    // Nobody waits for it, and a failure costs nothing but the note.
    keys.touch(keyId).catch(() => {});
  }

  return {
    async authenticate(presentedKey) {
      const sha256 = hashApiKey(presentedKey);
      if (adminSha256 !== null && equalHashes(sha256, adminSha256)) return ADMIN;
      if (!isApiKey(presentedKey)) return null;
      const cached = cache.get(sha256);
      const entry = cached && now() < cached.expiresAt ? cached : remember(sha256);
      if (cached && entry !== cached) entry.touchedAt = cached.touchedAt;
      const principal = await entry.answer;
      if (principal) noteUse(entry, principal.keyId);
      return principal;
    },
  };
}

const ADMIN: Principal = {
  tenant: "default",
  keyId: "admin",
  scopes: new Set(SCOPES),
  bytesPerDay: null,
  concurrentUploads: null,
};

async function findPrincipal(keys: KeyFinder, sha256: string): Promise<Principal | null> {
  const key = await keys.findActive(sha256);
  return key && equalHashes(key.keySha256, sha256) ? toPrincipal(key) : null;
}

function toPrincipal(key: ActiveKey): Principal {
  return {
    tenant: key.tenant,
    keyId: key.id,
    scopes: new Set(key.scopes),
    bytesPerDay: key.bytesPerDay,
    concurrentUploads: key.concurrentUploads,
  };
}

function equalHashes(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
