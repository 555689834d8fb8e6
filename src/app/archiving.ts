import { createArchiveCatalog } from "../adapters/postgres/archive_catalog.ts";
import type { Database } from "../adapters/postgres/database.ts";
import { createJobLeases } from "../adapters/postgres/job_leases.ts";
import type { Config } from "../config.ts";
import type { ContentHash } from "../core/content_hash.ts";
import type { ObjectStore } from "../core/object_store.ts";
import type { StorageClass } from "../core/storage_class.ts";
import type { HttpRoutes } from "../http/http_env.ts";
import type { Authenticator } from "../http/middleware/authentication.ts";
import { restoreRoutes } from "../http/routes/restore.ts";
import { createArchiveJob } from "../lifecycle/archive_job.ts";
import { createRestoreService } from "../lifecycle/restore_service.ts";
import { describeError, type Logger } from "../telemetry/logger.ts";
import { createUuidV7 } from "./uuid_v7.ts";

/** What archiving needs of the other parts. */
export interface ArchivingParts {
  readonly database: Database;
  readonly store: ObjectStore;
  readonly logger: Logger;
  readonly authenticator: Authenticator;
  /** Called with assets that can be served again. */
  readonly onRestored: (hash: ContentHash) => void;
}

/** The ageing of assets, wired up. */
export interface Archiving {
  readonly routes: HttpRoutes;
  archiveUnused(): Promise<unknown>;
  finishRestores(): Promise<unknown>;
}

/** Wires the archive. */
export function createArchiving(config: Config, parts: ArchivingParts): Archiving {
  const { database, store, logger } = parts;
  const catalog = createArchiveCatalog(database);
  const reportFailure = (event: string, { error, contentHash }: Failure) =>
    logger.log("warn", event, { contentHash, error: describeError(error) });
  const coldClass = findColdClass(config.storage);
  const archive = coldClass && createArchiveJob({
    catalog,
    objects: store,
    leases: createJobLeases(database),
    newId: createUuidV7,
    coldClass,
    unusedDays: config.upkeep.archiveAfterDays,
    reportFailure,
  });
  const restores = createRestoreService({
    catalog,
    objects: store,
    reportFailure,
    onRestored: (row) => parts.onRestored(row.contentHash),
  });
  return {
    routes: restoreRoutes({ restores, authenticator: parts.authenticator }),
    archiveUnused: async () => archive ? await archive.run() : "the store has no cold class",
    finishRestores: () => restores.finishPending(),
  };
}

/** The coldest class of the store; null when it has one class only. */
function findColdClass(storage: Config["storage"]): StorageClass | null {
  if (storage.kind === "disk") return "archive";
  switch (storage.dialect) {
    case "r2":
      return "infrequent";
    case "ceph":
      return null;
    default:
      return "archive";
  }
}

interface Failure {
  readonly error: unknown;
  readonly contentHash: string;
}
