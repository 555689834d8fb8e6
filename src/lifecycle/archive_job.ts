/**
 * The archive: what nobody has asked for in a long time moves to a cold class.
 *
 * The object is moved first, the row marked afterwards: a crash in between leaves a READY row with a
 * cold object, which delivery answers as archived and reconciliation marks. The mark insists on the
 * row being READY as it was read, so that whoever was faster (a deletion, another job) wins. An
 * object that a purge removes while it is being moved may come back as an orphan; reconciliation
 * puts those aside.
 *
 * @module
 */
import type { ContentHash } from "../core/content_hash.ts";
import { type JobLeases, keepJobLease } from "../core/job_lease.ts";
import { formatRawKey, RAW_SHARDS } from "../core/object_keys.ts";
import type { ObjectTiering, StorageClass } from "../core/storage_class.ts";
import type { AgedRow, ArchiveCatalog } from "./ports.ts";

/** What the job needs. */
export interface ArchiveJobDeps {
  readonly catalog: ArchiveCatalog;
  readonly objects: Pick<ObjectTiering, "setStorageClass">;
  readonly leases: JobLeases;
  readonly newId: () => string;
  /** The class to move to: `archive`, or `infrequent` where a store has no archive. */
  readonly coldClass: StorageClass;
  readonly unusedDays: number;
  /** Most assets per run. @default {100_000} */
  readonly maxAssets?: number;
  readonly reportFailure: (event: string, details: { error: unknown; contentHash: string }) => void;
}

/** What one run did; null when another is under way. */
export interface ArchiveReport {
  readonly archived: number;
  /** Changed, or gone, since they were listed. */
  readonly left: number;
  readonly errors: number;
}

/** Moves assets to the archive. */
export interface ArchiveJob {
  run(options?: { readonly dryRun?: boolean; readonly signal?: AbortSignal }): Promise<
    ArchiveReport | null
  >;
}

const LEASE_MS = 60_000;
const PAGE = 500;
/** Failures after which the store must be taken for unable. */
const MAX_ERRORS = 20;

/** Creates the job. */
export function createArchiveJob(deps: ArchiveJobDeps): ArchiveJob {
  const { catalog, objects, unusedDays, coldClass, maxAssets = 100_000 } = deps;
  return {
    async run({ dryRun = false, signal } = {}) {
      const lease = await deps.leases.acquire("archive", { holder: deps.newId(), ttlMs: LEASE_MS });
      if (lease === null) return null;
      const report = { archived: 0, left: 0, errors: 0 };
      const archive = async (row: AgedRow, signal: AbortSignal) => {
        const moved = dryRun ||
          await objects.setStorageClass(formatRawKey(row.contentHash), coldClass, { signal }) &&
            await catalog.archive(row, coldClass, lease);
        if (moved) report.archived++;
        else report.left++;
      };
      return await keepJobLease(lease, { ttlMs: LEASE_MS, signal }, async (signal) => {
        for (let shard = 0; shard < RAW_SHARDS; shard++) {
          for await (const row of listShard(catalog, { shard, unusedDays })) {
            signal.throwIfAborted();
            if (report.archived >= maxAssets || report.errors >= MAX_ERRORS) return report;
            try {
              await archive(row, signal);
            } catch (error) {
              signal.throwIfAborted();
              report.errors++;
              deps.reportFailure("not archived", { error, contentHash: row.contentHash });
            }
          }
        }
        return report;
      });
    },
  };
}

async function* listShard(
  catalog: ArchiveCatalog,
  options: { readonly shard: number; readonly unusedDays: number },
): AsyncGenerator<AgedRow, void, void> {
  let after: ContentHash | null = null;
  while (true) {
    const page: readonly AgedRow[] = await catalog.listUnused({ ...options, after, limit: PAGE });
    yield* page;
    if (page.length < PAGE) return;
    after = page[page.length - 1].contentHash;
  }
}
