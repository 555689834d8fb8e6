import { formatRawKey } from "../core/object_keys.ts";
import type { ObjectReader } from "../core/object_store.ts";
import { isReadable, type ObjectTiering } from "../core/storage_class.ts";
import { AppError } from "../errors.ts";
import type { AgedRow, ArchiveCatalog } from "./ports.ts";

/** What restoring needs. */
export interface RestoreServiceDeps {
  readonly catalog: ArchiveCatalog;
  readonly objects: ObjectTiering & Pick<ObjectReader, "head">;
  readonly reportFailure: (event: string, details: { error: unknown; contentHash: string }) => void;
  /** Is told of assets that can be served again. */
  readonly onRestored: (row: AgedRow) => void;
}

/** How far the restore of an asset is. */
export interface RestoreOutcome {
  readonly row: AgedRow;
  /** `restoring` takes minutes to hours, by the store. */
  readonly state: "READY" | "restoring";
}

/** Brings archived assets back. */
export interface RestoreService {
  /**
   * Asks for a tenant's asset, or finishes what was asked for.
   *
   * @throws {AppError} `asset_not_found`, `asset_deleted`, `asset_missing`, `asset_not_ready`,
   * `storage_*`.
   */
  restore(tenant: string, assetId: string, actor: string): Promise<RestoreOutcome>;
  /** Finishes restores whose objects have thawed; returns how many are READY now. */
  finishPending(limit?: number): Promise<{ readonly ready: number; readonly pending: number }>;
}

/** Days that a thawed copy is kept: it is only needed until it is copied to the standard class. */
const COPY_DAYS = 3;

/** Creates the service. */
export function createRestoreService(deps: RestoreServiceDeps): RestoreService {
  const { catalog, objects } = deps;

  /**
   * Asks, and where the bytes can be read already makes the object standard again. Marks the row
   * last, and only if it is ARCHIVED as it was read.
   */
  async function advance(row: AgedRow, actor: string): Promise<"READY" | "restoring"> {
    const key = formatRawKey(row.contentHash);
    const state = await objects.restore(key, { days: COPY_DAYS });
    if (state === null) return await markMissing(row, actor);
    if (state.ongoing) {
      await catalog.requestRestore(row);
      return "restoring";
    }
    if (!await objects.setStorageClass(key, "standard")) return await markMissing(row, actor);
    const head = await objects.head(key);
    if (head === null || !isReadable(head)) {
      await catalog.requestRestore(row);
      return "restoring";
    }
    if (!await catalog.finishRestore(row, "READY", actor)) {
      throw new AppError("state_conflict", "The asset has changed meanwhile");
    }
    deps.onRestored(row);
    return "READY";
  }

  async function markMissing(row: AgedRow, actor: string): Promise<never> {
    await catalog.finishRestore(row, "MISSING", actor);
    throw new AppError("asset_missing", "The bytes of this asset are not available");
  }

  return {
    async restore(tenant, assetId, actor) {
      const row = await catalog.find(tenant, assetId);
      if (row === null) throw new AppError("asset_not_found", "There is no such asset");
      switch (row.state) {
        case "READY":
          return { row, state: "READY" };
        case "ARCHIVED":
          return { row, state: await advance(row, actor) };
        case "MISSING":
          throw new AppError("asset_missing", "The bytes of this asset are not available");
        case "DELETED":
          throw new AppError("asset_deleted", "This asset has been deleted");
        default:
          throw new AppError("asset_not_ready", "This asset is not in the archive");
      }
    },
    async finishPending(limit = 500) {
      const counts = { ready: 0, pending: 0 };
      for (const row of await catalog.listRestoring(limit)) {
        try {
          const state = await advance(row, "restore");
          if (state === "READY") counts.ready++;
          else counts.pending++;
        } catch (error) {
          counts.pending++;
          deps.reportFailure("not restored", { error, contentHash: row.contentHash });
        }
      }
      return counts;
    },
  };
}
