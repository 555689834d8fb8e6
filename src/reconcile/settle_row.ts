/**
 * What is done about a row that disagrees with its object, at the moment of acting.
 *
 * The listing is old by then, so nothing of it is believed: the row is read again, then the object
 * is looked at again, and only if they still disagree in the same way the row is changed, by a
 * guarded UPDATE that insists on the row being as it was read *before* the object was looked at.
 * No I/O happens inside a transaction. Why no race can make it wrong:
 *
 * - An upload writes an object only while its row is UPLOADING. A row that was READY, ARCHIVED or
 *   MISSING before the look at the object and has had no change of state until the UPDATE (its
 *   `state_changed_at` is part of the guard) had no upload in between: what was seen still holds.
 * - A purge removes an object only while its row is DELETED: likewise.
 * - Delivery, the sweep and another run change state too, and then the guard does not match.
 * - A run that has lost its lease does not match either: the lease is part of the guard.
 *
 * What is left is somebody else writing to the bucket in between; the next run sees that.
 *
 * @module
 */
import type { ContentHash } from "../core/content_hash.ts";
import { classifyDrift, type DriftKind } from "../core/drift.ts";
import { formatRawKey } from "../core/object_keys.ts";
import type { ObjectHead } from "../core/object_store.ts";
import { isReadable } from "../core/storage_class.ts";
import { hashObject } from "./hash_object.ts";
import type {
  ReconcileCatalog,
  ReconcileObjects,
  ReconcileRow,
  RowChange,
  RunContext,
} from "./ports.ts";

/** What settling a row needs. */
export interface SettleDeps {
  readonly catalog: ReconcileCatalog;
  readonly objects: ReconcileObjects;
  readonly graceMs: number;
}

/** Puts one row right. Returns what was done; null when there was nothing to do any more. */
export async function settleRow(
  deps: SettleDeps,
  finding: { readonly kind: DriftKind; readonly hash: ContentHash },
  context: RunContext,
): Promise<string | null> {
  const { catalog, objects } = deps;
  const row = await catalog.find(finding.hash);
  if (row === null) return null;
  const key = formatRawKey(finding.hash);
  const head = await objects.head(key, { signal: context.signal });
  const kind = classifyDrift(row, head, { nowMs: context.nowMs, graceMs: deps.graceMs });
  if (kind !== finding.kind) return null;
  const change = head === null
    ? { to: "MISSING", reason: "object_not_found" } as const
    : await decideChange(deps, { kind, row, head }, context);
  if (change === null) return null;
  const changed = await catalog.change(row, change, context.lease);
  return changed ? (change.to ?? change.flagged ?? "unflagged") : null;
}

async function decideChange(
  deps: SettleDeps,
  seen: { readonly kind: DriftKind; readonly row: ReconcileRow; readonly head: ObjectHead },
  context: RunContext,
): Promise<RowChange | null> {
  const { row, head } = seen;
  switch (seen.kind) {
    case "size_mismatch":
      if (row.flagged === "size_mismatch") return null;
      return { flagged: "size_mismatch", reason: "size_mismatch" };
    case "archived":
      // A temporary copy is there: it can be read for now.
      if (isReadable(head)) return null;
      return { to: "ARCHIVED", storageClass: head.storageClass, reason: "moved to a cold class" };
    case "restored":
      return { to: "READY", storageClass: null, reason: "moved to a warm class" };
    case "back_again":
      return await decideBackAgain(deps, { row, head }, context);
    default:
      return null;
  }
}

/** Its size is right; its bytes may be others, unless the store vouches for them. */
async function decideBackAgain(
  { objects }: SettleDeps,
  { row, head }: { readonly row: ReconcileRow; readonly head: ObjectHead },
  { signal }: RunContext,
): Promise<RowChange | null> {
  const wasMissing = row.state === "MISSING";
  if (!isReadable(head)) {
    const { storageClass } = head;
    return wasMissing
      ? { to: "ARCHIVED", storageClass, flagged: null, reason: "object is back, archived" }
      : { flagged: null, reason: "size is right again" };
  }
  const sha256 = head.sha256 ?? await hashObject(objects, head.key, signal);
  if (sha256 === null) return null;
  if (sha256 !== row.contentHash) {
    return row.flagged === "hash_mismatch"
      ? null
      : { flagged: "hash_mismatch", reason: "hash_mismatch" };
  }
  return wasMissing
    ? { to: "READY", storageClass: null, flagged: null, reason: "object is back" }
    : { flagged: null, reason: "size is right again" };
}
