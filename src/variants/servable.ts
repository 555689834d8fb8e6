/**
 * Which assets may be served, and how those that may not are answered.
 *
 * @module
 */
import { AppError } from "../errors.ts";
import type { AssetRecord } from "./ports.ts";

/** A restore from an archive takes minutes to hours; asking more often than this is of no use. */
const RESTORE_RETRY_SECONDS = 300;

/**
 * Lets an asset pass that exists for this caller, whether or not its bytes can be read just now:
 * what a cache may still hold of it can be served.
 *
 * A private asset without a valid signature does not exist, and neither does one whose upload has
 * not ended: an answer that differed would tell who uploads what.
 *
 * @throws {AppError} `asset_not_found`, `asset_deleted`, `asset_missing` (the bytes are flagged).
 */
export function checkVisible(
  record: AssetRecord | null,
  caller: { readonly signed: boolean },
): AssetRecord {
  const refusal = findRefusal(record, caller);
  if (refusal) throw refusal;
  return record!;
}

/** Why an asset is not visible to this caller, see {@linkcode checkVisible}; null when it is. */
export function findRefusal(
  record: AssetRecord | null,
  caller: { readonly signed: boolean },
): AppError | null {
  if (!record || (record.visibility === "private" && !caller.signed)) return NOT_FOUND;
  switch (record.state) {
    case "UPLOADING":
    case "VERIFIED":
    case "FAILED":
      return NOT_FOUND;
    case "DELETED":
      return DELETED;
    case "READY":
    case "ARCHIVED":
    case "MISSING":
      return record.flagged === null ? null : missing();
  }
}

// Made once: they are the same for everybody, and scanners ask for thousands of them.
const NOT_FOUND = new AppError("asset_not_found", "There is no such asset");
const DELETED = new AppError("asset_deleted", "This asset has been deleted");

/**
 * Lets an asset pass whose bytes can be read now.
 *
 * @throws {AppError} `asset_archived` (with `Retry-After` while a restore is under way),
 * `asset_missing`.
 */
export function checkReadable(record: AssetRecord): void {
  if (record.state === "ARCHIVED") throw archived(record);
  if (record.state === "MISSING") throw missing();
}

/** The answer for an asset in an archive. */
export function archived(record: Pick<AssetRecord, "restoreRequestedAt">): AppError {
  return record.restoreRequestedAt === null
    ? new AppError("asset_archived", "This asset is archived")
    : new AppError("asset_archived", "This asset is being restored from the archive", {
      retryAfterSeconds: RESTORE_RETRY_SECONDS,
    });
}

/** The answer for an asset whose bytes are not where they should be. */
export function missing(): AppError {
  return new AppError("asset_missing", "The bytes of this asset are not available");
}

/** The answer when the object store has other bytes than the catalog. */
export function mismatch(): AppError {
  return new AppError("object_mismatch", "The object store gave other bytes than were stored");
}
