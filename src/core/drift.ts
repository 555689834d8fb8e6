import type { AssetState } from "./asset_state.ts";
import type { ObjectInfo } from "./object_store.ts";
import type { StorageClass } from "./storage_class.ts";

/**
 * How catalog and bucket can disagree.
 *
 * - `missing`: the row promises an object that is not there.
 * - `orphan`: an object that no row has a use for.
 * - `size_mismatch`: the object has another size than the row.
 * - `archived`: the object of a READY row was moved to a class that cannot be read at once.
 * - `restored`: the object of an ARCHIVED row is back in a class that can.
 * - `back_again`: the object of a MISSING row is there, or the size of a flagged one is right again.
 */
export const DRIFT_KINDS = [
  "missing",
  "orphan",
  "size_mismatch",
  "archived",
  "restored",
  "back_again",
] as const;

/** A kind of disagreement. */
export type DriftKind = (typeof DRIFT_KINDS)[number];

/** What is compared of a content row. */
export interface CatalogRow {
  readonly state: AssetState;
  readonly sizeBytes: number;
  /** The class that the row was archived to; null otherwise. */
  readonly storageClass: StorageClass | null;
  readonly flagged: string | null;
  /** Milliseconds since the last change of state, by the database's clock. */
  readonly ageMs: number;
}

/** When a difference is old enough to mean something. */
export interface DriftTimes {
  /** The database's clock, milliseconds since the Unix epoch. */
  readonly nowMs: number;
  /** Younger rows and objects are left alone: an upload may be under way. Milliseconds. */
  readonly graceMs: number;
}

/**
 * Compares one row with one object of the same key. Null where they agree, where the difference is
 * too young, and where another job is at work: the sweep on UPLOADING and VERIFIED rows, the purge
 * on DELETED ones (those are looked at again before an orphan is touched).
 */
export function classifyDrift(
  row: CatalogRow | null,
  object: Pick<ObjectInfo, "sizeBytes" | "storageClass" | "lastModifiedAt"> | null,
  times: DriftTimes,
): DriftKind | null {
  if (row !== null && row.ageMs < times.graceMs) return null;
  if (object === null) {
    return row !== null && (row.state === "READY" || row.state === "ARCHIVED") ? "missing" : null;
  }
  const objectAgeMs = times.nowMs - object.lastModifiedAt.getTime();
  if (row === null || row.state === "DELETED") {
    return objectAgeMs < times.graceMs ? null : "orphan";
  }
  switch (row.state) {
    case "UPLOADING":
    case "VERIFIED":
    case "FAILED":
      return null;
    case "MISSING":
      return object.sizeBytes === row.sizeBytes ? "back_again" : "size_mismatch";
    case "READY":
    case "ARCHIVED":
      return classifyStored({ ...row, state: row.state }, object);
  }
}

function classifyStored(
  row: CatalogRow & { readonly state: "READY" | "ARCHIVED" },
  object: Pick<ObjectInfo, "sizeBytes" | "storageClass">,
): DriftKind | null {
  if (object.sizeBytes !== row.sizeBytes) return "size_mismatch";
  if (row.flagged === "size_mismatch") return "back_again";
  if (row.state === "READY") return object.storageClass === "archive" ? "archived" : null;
  // Where a store has no archive, assets are archived to the infrequent class and stay so until
  // somebody moves them to a warmer one than the row says.
  const isWarmer = row.storageClass === "infrequent"
    ? object.storageClass === "standard"
    : object.storageClass !== "archive";
  // A copy that was thawed for some days is no other class: the restore service sees to it.
  return isWarmer ? "restored" : null;
}
