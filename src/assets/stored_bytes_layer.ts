/**
 * The removal of a deleted content's bytes, after the mark and before any new upload of them.
 *
 * The danger is a removal that comes late and takes the object of an upload that came after it:
 * content READY without its object. Why it cannot happen:
 *
 * 1. The object is removed only by an attempt that holds the lease of the DELETED row. It takes the
 *    lease under the lock of the hash, and only while the row is DELETED: content that was uploaded
 *    again is left alone (`nothing`).
 * 2. While the lease runs, an upload of the same bytes waits (`decideClaim` in the core). It writes
 *    the object only after its claim, so after the lease was given back or has run out.
 * 3. The request to remove is sent at once after the lease was taken, is given up after
 *    `timeoutMs`, and is not sent at all when the process was suspended so long that half of the
 *    lease is over. The rest of the lease, at least half, is for a request that the store still
 *    carries out after it was given up.
 *
 * What stays is a store that carries out a request later than that; reconciliation would find the
 * content MISSING, and its next upload heals it. A crash at any point leaves the object or nothing:
 * the outbox entry is there until `finish`, and removing twice does no harm.
 *
 * @module
 */
import type { ContentHash } from "../core/content_hash.ts";
import { formatRawKey } from "../core/object_keys.ts";
import type { ObjectRemover } from "../core/object_store.ts";
import { AppError } from "../errors.ts";
import type { DeletedContent } from "./ports.ts";

/** What {@linkcode createStoredBytesLayer} needs. Durations in milliseconds. */
export interface StoredBytesLayerDeps {
  readonly content: DeletedContent;
  readonly objects: Pick<ObjectRemover, "delete">;
  readonly newId: () => string;
  /** A clock that never goes back, in milliseconds. */
  readonly now: () => number;
  /** Default 60000. */
  readonly leaseMs?: number;
  /** Default 10000; less than half of the lease. */
  readonly timeoutMs?: number;
}

/** A place to purge, of the name `object`. */
export interface StoredBytesLayer {
  readonly name: "object";
  readonly takesTags: false;
  /**
   * Removes the bytes of a DELETED content; those of any other are left alone.
   *
   * @returns How many objects were removed.
   * @throws {AppError} `state_conflict` while another attempt has the lease, or `storage_*`.
   */
  purge(target: { readonly hash: ContentHash | null }, signal: AbortSignal): Promise<number>;
}

/** Creates the layer of the stored bytes, for the purge service. */
export function createStoredBytesLayer(deps: StoredBytesLayerDeps): StoredBytesLayer {
  const { content, objects, newId, now, leaseMs = 60_000, timeoutMs = 10_000 } = deps;
  return {
    name: "object",
    takesTags: false,
    async purge({ hash }, signal) {
      if (hash === null) return 0;
      const attemptId = newId();
      const startedAt = now();
      const begun = await content.begin(hash, { attemptId, leaseMs });
      if (begun === "nothing") return 0;
      if (begun === "busy" || now() - startedAt > leaseMs / 2 - timeoutMs) {
        throw new AppError("state_conflict", "Another attempt removes these bytes");
      }
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      await objects.delete(formatRawKey(hash), { signal: limit });
      await content.finish(hash, attemptId);
      return 1;
    },
  };
}
