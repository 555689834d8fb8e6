/**
 * What reconciliation needs from outside.
 *
 * @module
 */
import type { AssetState } from "../core/asset_state.ts";
import type { ContentHash } from "../core/content_hash.ts";
import type { CatalogRow, DriftKind } from "../core/drift.ts";
import type { HeldJobLease } from "../core/job_lease.ts";
import type {
  ObjectLister,
  ObjectReader,
  ObjectRemover,
  ObjectWriter,
} from "../core/object_store.ts";
import type { StorageClass } from "../core/storage_class.ts";

/** A content row as it was read, so that a write can insist on it being the same still. */
export interface ReconcileRow extends CatalogRow {
  readonly contentHash: ContentHash;
  /** When the state last changed: microseconds since the Unix epoch. */
  readonly changedAtUs: number;
}

/** What becomes of a row. Members that are left out stay as they are. */
export interface RowChange {
  readonly to?: AssetState | undefined;
  readonly storageClass?: StorageClass | null | undefined;
  readonly flagged?: string | null | undefined;
  /** For the event of a change of state. */
  readonly reason: string;
}

/** The content rows as reconciliation sees and moves them. */
export interface ReconcileCatalog {
  /** The database's clock: milliseconds since the Unix epoch. */
  nowMs(): Promise<number>;
  /** The rows of one shard (0 to 255: the first byte of the hash) in the order of their hashes. */
  pages(
    shard: number,
    options: { readonly signal: AbortSignal },
  ): AsyncGenerator<readonly ReconcileRow[], void, void>;
  find(hash: ContentHash): Promise<ReconcileRow | null>;
  /**
   * Changes the row if it is as it was read (state, time of its last change, flag) and the job's
   * lease is held; false when not. A row that gets flagged has its variants purged.
   */
  change(row: ReconcileRow, change: RowChange, lease: HeldJobLease): Promise<boolean>;
  /**
   * Takes content that nobody refers to, as a purge does: a DELETED row (made when there is none)
   * whose lease keeps uploads of the same bytes waiting. `left` when somebody has a use for it, is
   * at work on it, or will be (a purge is due), and when the job's lease is lost.
   */
  takeOrphan(
    hash: ContentHash,
    options: {
      readonly attemptId: string;
      readonly leaseMs: number;
      readonly sizeBytes: number;
      readonly lease: HeldJobLease;
    },
  ): Promise<"taken" | "left">;
  /** Gives the row free, recording whether the bytes are gone; false when it was lost. */
  finishOrphan(hash: ContentHash, attemptId: string, gone: boolean): Promise<boolean>;
}

/** What a run is to do. */
export interface RunScope {
  /** Only counts and records. */
  readonly dryRun: boolean;
  /** Moves objects too: orphans to quarantine and, later, away. */
  readonly repair: boolean;
  /** 0 to 255, both included. */
  readonly firstShard: number;
  readonly lastShard: number;
}

/** What a run has counted. Bytes and items of whole shards only. */
export interface RunCounts {
  readonly rows: number;
  readonly objects: number;
  readonly rowBytes: number;
  readonly objectBytes: number;
  /** Differences found, by kind. */
  readonly found: Readonly<Record<DriftKind, number>>;
  /** Differences that were put right, by kind. */
  readonly acted: Readonly<Record<DriftKind, number>>;
  /** Differences that were gone, or not to be touched, when they were looked at again. */
  readonly left: number;
  /** Beyond the caps: for the next run. */
  readonly postponed: number;
  readonly errors: number;
  readonly scrubbed: number;
  readonly scrubMismatches: number;
  readonly quarantineDeleted: number;
}

/** A run as it is recorded. */
export interface RunRecord extends RunScope {
  readonly id: string;
  readonly status: "running" | "finished" | "failed" | "interrupted";
  /** The shard that comes next. */
  readonly nextShard: number;
  readonly counts: RunCounts | null;
  readonly requestedBy: string;
  readonly error: string | null;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
}

/** A difference, as it is recorded. */
export interface Finding {
  readonly kind: DriftKind | "hash_mismatch";
  readonly key: string;
  /** What was done; null is nothing. */
  readonly action: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

/** An object that was put aside. */
export interface QuarantinedObject {
  readonly quarantineKey: string;
  readonly objectKey: string;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly lastModifiedAt: Date;
}

/** The records of runs. Writes of a run whose lease is lost change nothing and return false. */
export interface ReconcileRecords {
  /** Begins a run, or goes on with one of the same scope that was killed. */
  begin(
    run: RunScope & { readonly id: string; readonly requestedBy: string },
    lease: HeldJobLease,
  ): Promise<RunRecord>;
  /** Records findings and, unless dry, resolves those of the shard that were not seen again. */
  saveShard(
    run: RunRecord,
    shard: {
      readonly number: number;
      readonly counts: RunCounts;
      readonly findings: readonly Finding[];
      /** Whether `findings` are all there are. */
      readonly complete: boolean;
    },
    lease: HeldJobLease,
  ): Promise<boolean>;
  saveFindings(run: RunRecord, findings: readonly Finding[]): Promise<void>;
  end(
    runId: string,
    outcome: {
      readonly status: "finished" | "failed";
      readonly counts: RunCounts;
      readonly error: string | null;
    },
    lease: HeldJobLease,
  ): Promise<boolean>;
  find(runId: string): Promise<RunRecord | null>;
  /** The newest run that has not ended: under way, or killed. */
  findOpen(): Promise<RunRecord | null>;
  /** The newest finished run over all shards. */
  findLatest(): Promise<RunRecord | null>;
  listFindings(runId: string, limit: number): Promise<readonly Finding[]>;
  /** Notes an object that is about to be put aside; kept for `retentionMs`. */
  addToManifest(
    object: QuarantinedObject,
    options: { readonly runId: string; readonly retentionMs: number },
  ): Promise<void>;
  /** What earlier runs put aside and whose time is up. */
  listExpired(runId: string, limit: number): Promise<readonly { readonly quarantineKey: string }[]>;
  markDeleted(quarantineKeys: readonly string[]): Promise<void>;
}

/** The part of the object store that reconciliation uses. */
export type ReconcileObjects =
  & ObjectLister
  & ObjectReader
  & ObjectRemover
  & Pick<ObjectWriter, "copy">;

/** Numbers and durations (milliseconds) of a run. */
export interface ReconcileLimits {
  /** Rows and objects that changed more recently are left alone. */
  readonly graceMs: number;
  /** How long an orphan stays in quarantine. */
  readonly retentionMs: number;
  /** Most actions per kind and run. */
  readonly maxActions: number;
  /** Most quarantined objects that one run deletes. */
  readonly maxDeletions: number;
  /** Objects whose bytes are read again per run. */
  readonly scrubSamples: number;
  /** Longer objects are not scrubbed. Bytes. */
  readonly scrubMaxBytes: number;
}

/** Is told of pieces of work that failed, for logs. */
export type FailureReporter = (
  event: string,
  details: { readonly error: unknown; readonly key?: string; readonly shard?: number },
) => void;

/** What every step of a run is given. */
export interface RunContext {
  readonly run: RunRecord;
  readonly lease: HeldJobLease;
  readonly signal: AbortSignal;
  /** The database's clock at the beginning of the shard. */
  readonly nowMs: number;
}
