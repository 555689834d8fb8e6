/**
 * What purging needs from the outside.
 *
 * @module
 */
import type { ContentHash } from "../core/content_hash.ts";

/**
 * Where something made from an asset may still be: the object itself, the memory of every instance,
 * the cache that instances share, shared caches in front of the service.
 */
export type PurgeLayerName = "object" | "memory" | "kv" | "cdn";

/** What is to be purged. */
export interface PurgeTarget {
  /** Null when a tag is purged that belongs to no single asset. */
  readonly hash: ContentHash | null;
  /** The tag of the replies in question. */
  readonly tag: string;
}

/** A place to purge. Doing it again does no harm. */
export interface PurgeLayer {
  readonly name: PurgeLayerName;
  /** Whether the layer can be purged of what belongs to no single asset. */
  readonly takesTags: boolean;
  /**
   * Removes everything of the target.
   *
   * @returns How many entries were removed, null when the layer does not tell.
   * @throws when something may be left.
   */
  purge(target: PurgeTarget, signal: AbortSignal): Promise<number | null>;
}

/** A purge that is not done everywhere yet. */
export interface PurgeTask {
  readonly id: string;
  readonly target: PurgeTarget;
  /** Where it is still to be done. */
  readonly layers: readonly PurgeLayerName[];
  /** How often it has been tried. */
  readonly attempts: number;
}

/** Remembers purges until they are done. Time is the database's. */
export interface PurgeOutbox {
  /** Adds a task, claimed by the caller for `leaseMs`. */
  add(
    target: PurgeTarget,
    options: {
      readonly reason: string;
      readonly layers: readonly PurgeLayerName[];
      readonly leaseMs: number;
    },
  ): Promise<PurgeTask>;
  /** Claims tasks that are due for `leaseMs`: nobody else gets them meanwhile. */
  claim(options: { readonly limit: number; readonly leaseMs: number }): Promise<PurgeTask[]>;
  /** Claims the tasks of one asset, due or not. */
  claimFor(hash: ContentHash, leaseMs: number): Promise<PurgeTask[]>;
  /** Records what is left to do, to be tried after `retryInMs`; nothing left means done. */
  settle(
    id: string,
    outcome: { readonly layersLeft: readonly PurgeLayerName[]; readonly retryInMs: number },
  ): Promise<void>;
}
