import type { ContentHash } from "../core/content_hash.ts";
import type { PurgeLayer } from "./ports.ts";

/** The cache that instances share, as far as purging goes. */
export interface SharedCachePurge {
  /** Removes every variant of an asset; returns how many. */
  purge(hash: ContentHash): Promise<number>;
}

/** How instances hear of purges. */
export interface PurgePublisher {
  publish(hash: ContentHash): Promise<void>;
}

/** The layer of the cache that instances share. */
export function createSharedCacheLayer(cache: SharedCachePurge): PurgeLayer {
  return {
    name: "kv",
    takesTags: false,
    purge: ({ hash }) => hash === null ? Promise.resolve(0) : cache.purge(hash),
  };
}

/**
 * The layer of the instances' memories. The entries counted are this instance's; the others are
 * told, and forget within a second.
 *
 * @param bus Null when instances share nothing: only this one can then be purged.
 */
export function createMemoryLayer(
  purgeLocal: (hash: ContentHash) => number,
  bus: PurgePublisher | null,
): PurgeLayer {
  return {
    name: "memory",
    takesTags: false,
    async purge({ hash }) {
      if (hash === null) return 0;
      const removed = purgeLocal(hash);
      await bus?.publish(hash);
      return removed;
    },
  };
}

/** A shared cache in front of the service that purges by tag. */
export interface CdnPurge {
  /** @throws when the purge was not accepted. */
  purgeTag(tag: string, signal: AbortSignal): Promise<void>;
}

/** The layer of all shared caches in front of the service: done when all of them are. */
export function createCdnLayer(cdns: readonly CdnPurge[]): PurgeLayer {
  return {
    name: "cdn",
    takesTags: true,
    async purge({ tag }, signal) {
      const results = await Promise.allSettled(cdns.map((cdn) => cdn.purgeTag(tag, signal)));
      const failed = results.find((result) => result.status === "rejected");
      if (failed) throw failed.reason;
      return null;
    },
  };
}
