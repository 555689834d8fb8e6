import { classifyDrift, type DriftKind } from "../core/drift.ts";
import { mergeDiff } from "../core/merge_diff.ts";
import { compareObjectKeys, formatRawKey, formatRawShardPrefix } from "../core/object_keys.ts";
import type { ObjectInfo, ObjectLister } from "../core/object_store.ts";
import type { ReconcileCatalog, ReconcileRow } from "./ports.ts";
import { emptyCounts, type MutableCounts } from "./run_counts.ts";

/**
 * Most differences of one shard that are held. More than that is a disaster (an empty bucket, a
 * restored database) that somebody should look at before anything is done about it.
 */
export const MAX_HELD_FINDINGS = 20_000;

/** A difference, not looked at again yet. */
export interface ShardFinding {
  readonly kind: DriftKind;
  readonly key: string;
  readonly row: ReconcileRow | null;
  readonly object: ObjectInfo | null;
}

/** What the comparison of one shard gave. */
export interface ShardDiff {
  readonly counts: MutableCounts;
  readonly findings: readonly ShardFinding[];
  /** Whether `findings` are all there are. */
  readonly complete: boolean;
}

/** How to compare. */
export interface DiffOptions {
  readonly shard: number;
  readonly nowMs: number;
  readonly graceMs: number;
  readonly signal: AbortSignal;
  /** Is shown every pair that agrees, to take samples from. */
  readonly onHealthy: (row: ReconcileRow, object: ObjectInfo) => void;
}

/**
 * Compares one shard of catalog and bucket. Nothing is acted upon before both have been read to the
 * end: a listing that fails half-way throws here, and with it goes all that it seemed to show.
 */
export async function diffShard(
  deps: { readonly catalog: ReconcileCatalog; readonly objects: ObjectLister },
  options: DiffOptions,
): Promise<ShardDiff> {
  const { shard, signal } = options;
  const counts = emptyCounts();
  const findings: ShardFinding[] = [];
  const rows = deps.catalog.pages(shard, { signal });
  const objects = deps.objects.list(formatRawShardPrefix(shard), { signal });
  await mergeDiff(rows, objects, {
    leftKey: (row) => formatRawKey(row.contentHash),
    rightKey: (object) => object.key,
    compare: compareObjectKeys,
    visit(row, object) {
      count(counts, row, object);
      const kind = classifyDrift(row, object, options);
      if (kind === null) {
        if (row?.state === "READY" && object) options.onHealthy(row, object);
        return;
      }
      counts.found[kind]++;
      if (findings.length < MAX_HELD_FINDINGS) {
        findings.push({
          kind,
          row,
          object,
          key: row ? formatRawKey(row.contentHash) : object!.key,
        });
      }
    },
  });
  const total = Object.values(counts.found).reduce((sum, each) => sum + each, 0);
  return { counts, findings, complete: findings.length === total };
}

function count(counts: MutableCounts, row: ReconcileRow | null, object: ObjectInfo | null): void {
  if (row !== null && row.state !== "DELETED" && row.state !== "FAILED") {
    counts.rows++;
    counts.rowBytes += row.sizeBytes;
  }
  if (object !== null) {
    counts.objects++;
    counts.objectBytes += object.sizeBytes;
  }
}

/** What of a difference is recorded. */
export function describeFinding({ row, object }: ShardFinding): Record<string, unknown> {
  return {
    ...(row ? { state: row.state, rowBytes: row.sizeBytes } : {}),
    ...(object ? { objectBytes: object.sizeBytes, storageClass: object.storageClass } : {}),
  };
}
