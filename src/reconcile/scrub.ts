import type { ContentHash } from "../core/content_hash.ts";
import { formatRawKey } from "../core/object_keys.ts";
import type { ObjectInfo } from "../core/object_store.ts";
import { hashObject } from "./hash_object.ts";
import type {
  Finding,
  ReconcileCatalog,
  ReconcileLimits,
  ReconcileObjects,
  ReconcileRow,
  RunContext,
} from "./ports.ts";

/** Picks a fixed number of items from a stream of unknown length, each with the same chance. */
export interface Sampler {
  offer(row: ReconcileRow, object: ObjectInfo): void;
  readonly picked: readonly ContentHash[];
}

/** Creates a sampler (reservoir sampling: Vitter's algorithm R). */
export function createSampler(
  limits: Pick<ReconcileLimits, "scrubSamples" | "scrubMaxBytes">,
  random: () => number,
): Sampler {
  const picked: ContentHash[] = [];
  let offered = 0;
  return {
    picked,
    offer(row, object) {
      if (object.storageClass !== "standard" || object.sizeBytes > limits.scrubMaxBytes) return;
      if (row.flagged !== null) return;
      offered++;
      if (picked.length < limits.scrubSamples) return void picked.push(row.contentHash);
      const at = Math.floor(random() * offered);
      if (at < limits.scrubSamples) picked[at] = row.contentHash;
    },
  };
}

/**
 * Reads one object's bytes again. Other bytes than the name says are read a second time, so that a
 * fault on the way is not taken for one in the store; then the row is flagged, under the guard of
 * `settle_row.ts`. Null when the object is right, or gone (which the next run finds).
 */
export async function scrubObject(
  deps: { readonly catalog: ReconcileCatalog; readonly objects: ReconcileObjects },
  hash: ContentHash,
  { run, lease, signal }: RunContext,
): Promise<Finding | null> {
  const row = await deps.catalog.find(hash);
  if (row?.state !== "READY" || row.flagged !== null) return null;
  const key = formatRawKey(hash);
  for (let reading = 0; reading < 2; reading++) {
    const sha256 = await hashObject(deps.objects, key, signal);
    if (sha256 === null || sha256 === hash) return null;
  }
  const change = { flagged: "hash_mismatch", reason: "hash_mismatch" };
  const flagged = !run.dryRun && await deps.catalog.change(row, change, lease);
  return {
    kind: "hash_mismatch",
    key,
    action: flagged ? "hash_mismatch" : null,
    details: { state: row.state, sizeBytes: row.sizeBytes },
  };
}
