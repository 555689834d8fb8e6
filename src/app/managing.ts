import { createHash } from "node:crypto";
import type { Config } from "../config.ts";
import { createAssetDirectory } from "../adapters/postgres/asset_directory.ts";
import { createAssetRemoval } from "../adapters/postgres/asset_removal.ts";
import type { Database } from "../adapters/postgres/database.ts";
import { createAssetService } from "../assets/asset_service.ts";
import { createCursorCodec } from "../assets/list_cursor.ts";
import type { HttpRoutes } from "../http/http_env.ts";
import type { Authenticator } from "../http/middleware/authentication.ts";
import { assetRoutes } from "../http/routes/assets.ts";
import type { PurgeService } from "../purge/purge_service.ts";
import { describeError, type Logger } from "../telemetry/logger.ts";

/** What the management of assets needs of the other parts. */
export interface ManagingParts {
  readonly database: Database;
  readonly authenticator: Authenticator;
  readonly purges: PurgeService;
  readonly logger: Logger;
}

/** Wires the reading, listing and deleting of assets. */
export function createManaging(config: Config, parts: ManagingParts): HttpRoutes {
  const { database, authenticator, purges, logger } = parts;
  const assets = createAssetService({
    directory: createAssetDirectory(database),
    references: createAssetRemoval(database),
    cursors: createCursorCodec(deriveCursorSecret(config)),
  });
  return assetRoutes({
    assets,
    authenticator,
    purges,
    reportPostponed: (contentHash, error) =>
      logger.log("warn", "purge postponed", { contentHash, error: describeError(error) }),
  });
}

/** A secret that all instances of a deployment have and no client knows. */
function deriveCursorSecret({ database, storage, adminKey }: Config): string {
  const parts = [
    database.kind === "postgres" ? database.url : database.dataDir,
    storage.kind === "s3" ? storage.secretAccessKey : storage.root,
    adminKey ?? "",
  ];
  return createHash("sha256").update(JSON.stringify(["facet cursors", ...parts])).digest("hex");
}
