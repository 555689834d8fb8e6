/**
 * What the ageing of assets needs from outside.
 *
 * @module
 */
import type { AssetState } from "../core/asset_state.ts";
import type { ContentHash } from "../core/content_hash.ts";
import type { HeldJobLease } from "../core/job_lease.ts";
import type { StorageClass } from "../core/storage_class.ts";

/** A content row as it was read, so that a write can insist on it being the same still. */
export interface AgedRow {
  readonly contentHash: ContentHash;
  readonly state: AssetState;
  /** When the state last changed: microseconds since the Unix epoch. */
  readonly changedAtUs: number;
}

/** The content rows as archiving and restoring move them. */
export interface ArchiveCatalog {
  /** READY rows of a shard (0 to 255) after `after` that nobody has asked for in `unusedDays`. */
  listUnused(options: {
    readonly shard: number;
    readonly after: ContentHash | null;
    readonly unusedDays: number;
    readonly limit: number;
  }): Promise<readonly AgedRow[]>;
  /** ARCHIVED rows that were asked for, the oldest request first. */
  listRestoring(limit: number): Promise<readonly AgedRow[]>;
  /** The content, if this tenant refers to it. */
  find(tenant: string, assetId: string): Promise<AgedRow | null>;
  /** READY → ARCHIVED, if the row is as it was read and, for a job, its lease is held. */
  archive(row: AgedRow, storageClass: StorageClass, lease: HeldJobLease): Promise<boolean>;
  /** Notes that the object was asked for; the first time counts. */
  requestRestore(row: AgedRow): Promise<boolean>;
  /** ARCHIVED → READY, or → MISSING, if the row is as it was read. */
  finishRestore(row: AgedRow, to: "READY" | "MISSING", actor: string): Promise<boolean>;
}
