/**
 * Orphans: put aside first, deleted much later.
 *
 * The danger is an upload of the same bytes that begins while its object is being put aside: it
 * would find the object, believe it, and become READY just before the object goes. So the hash is
 * taken as a purge takes it: under its lock a DELETED row is made or found, with a lease for which
 * uploads wait (`decideClaim` in the core); uploads write, and believe, only after their claim. The
 * removal is sent well within the lease, and not at all when the process was suspended meanwhile.
 *
 * A crash leaves the object where it was, or in both places, or only in quarantine, always with its
 * line in the manifest before anything is removed; the next run goes on from any of these.
 *
 * @module
 */
import { formatQuarantineKey, parseRawKey } from "../core/object_keys.ts";
import type { ContentHash } from "../core/content_hash.ts";
import type { ObjectHead } from "../core/object_store.ts";
import type {
  ReconcileCatalog,
  ReconcileLimits,
  ReconcileObjects,
  ReconcileRecords,
  RunContext,
} from "./ports.ts";

/** How long uploads of the same bytes wait at most. Milliseconds. */
const LEASE_MS = 600_000;
/** Longest time to copy: less than half of the lease, the removal included. */
const COPY_TIMEOUT_MS = 240_000;
const DELETE_TIMEOUT_MS = 10_000;

/** What quarantine needs. */
export interface QuarantineDeps {
  readonly catalog: ReconcileCatalog;
  readonly objects: ReconcileObjects;
  readonly records: ReconcileRecords;
  readonly limits: ReconcileLimits;
  readonly newId: () => string;
  /** A clock that never goes back, in milliseconds. */
  readonly monotonicMs: () => number;
}

/** Puts one orphan aside. Returns `quarantined`; null when it is none any more. */
export async function quarantineOrphan(
  deps: QuarantineDeps,
  key: string,
  context: RunContext,
): Promise<string | null> {
  const hash = parseRawKey(key);
  const head = await deps.objects.head(key, { signal: context.signal });
  if (head === null || !isOld(head, deps, context)) return null;
  // Nothing of ours writes to, or reads from, a key that names no content.
  if (hash === null) return await moveAside(deps, head, context) ? "quarantined" : null;
  return await takeAndMove(deps, { hash, head }, context);
}

async function takeAndMove(
  deps: QuarantineDeps,
  { hash, head }: { readonly hash: ContentHash; readonly head: ObjectHead },
  context: RunContext,
): Promise<string | null> {
  const attemptId = deps.newId();
  const takenAt = deps.monotonicMs();
  const taken = await deps.catalog.takeOrphan(hash, {
    attemptId,
    leaseMs: LEASE_MS,
    sizeBytes: head.sizeBytes,
    lease: context.lease,
  });
  if (taken === "left") return null;
  let gone = false;
  try {
    // Looked at again, now that no upload can write it: what was seen before may be older.
    const current = await deps.objects.head(head.key, { signal: context.signal });
    if (current === null) gone = true;
    else if (isOld(current, deps, context)) {
      const isLate = () => deps.monotonicMs() - takenAt > LEASE_MS / 2 - DELETE_TIMEOUT_MS;
      gone = await moveAside(deps, current, context, isLate);
    }
  } finally {
    await deps.catalog.finishOrphan(hash, attemptId, gone);
  }
  return gone ? "quarantined" : null;
}

/** Copies, notes, removes; in this order. */
async function moveAside(
  { objects, records, limits }: QuarantineDeps,
  head: ObjectHead,
  { run, signal }: RunContext,
  isLate: () => boolean = () => false,
): Promise<boolean> {
  const quarantineKey = formatQuarantineKey(head.key);
  const copyLimit = AbortSignal.any([signal, AbortSignal.timeout(COPY_TIMEOUT_MS)]);
  const copied = await objects.copy(head.key, quarantineKey, {
    ifMatch: head.etag,
    signal: copyLimit,
  });
  if (copied === null) return true;
  const copy = await objects.head(quarantineKey, { signal: copyLimit });
  if (copy?.sizeBytes !== head.sizeBytes) return false;
  await records.addToManifest({
    quarantineKey,
    objectKey: head.key,
    sizeBytes: head.sizeBytes,
    etag: head.etag,
    lastModifiedAt: head.lastModifiedAt,
  }, { runId: run.id, retentionMs: limits.retentionMs });
  if (isLate()) return false;
  const deleteLimit = AbortSignal.any([signal, AbortSignal.timeout(DELETE_TIMEOUT_MS)]);
  await objects.delete(head.key, { signal: deleteLimit });
  return true;
}

function isOld(head: ObjectHead, { limits }: QuarantineDeps, { nowMs }: RunContext): boolean {
  return nowMs - head.lastModifiedAt.getTime() >= limits.graceMs;
}

/** Removes for good what earlier runs have put aside and whose time is up; returns how many. */
export async function emptyQuarantine(
  { objects, records, limits }: Pick<QuarantineDeps, "objects" | "records" | "limits">,
  { run, signal }: RunContext,
): Promise<number> {
  const expired = await records.listExpired(run.id, limits.maxDeletions);
  if (expired.length === 0) return 0;
  const keys = expired.map(({ quarantineKey }) => quarantineKey);
  const { failedKeys } = await objects.deleteMany(keys, { signal });
  const failed = new Set(failedKeys);
  const deleted = keys.filter((key) => !failed.has(key));
  await records.markDeleted(deleted);
  return deleted.length;
}
