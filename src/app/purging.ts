import { createCloudflarePurge } from "../adapters/cdn/cloudflare_cdn.ts";
import { createDenoCdnPurge } from "../adapters/cdn/deno_cdn.ts";
import { createAssetRemoval } from "../adapters/postgres/asset_removal.ts";
import type { Database } from "../adapters/postgres/database.ts";
import { createPurgeOutbox } from "../adapters/postgres/purge_outbox.ts";
import { createStoredBytesLayer } from "../assets/stored_bytes_layer.ts";
import type { Config } from "../config.ts";
import type { ObjectStore } from "../core/object_store.ts";
import {
  type CdnPurge,
  createCdnLayer,
  createMemoryLayer,
  createSharedCacheLayer,
} from "../purge/cache_layers.ts";
import type { PurgeLayer } from "../purge/ports.ts";
import { createPurgeService, type PurgeService } from "../purge/purge_service.ts";
import { describeError, type Logger } from "../telemetry/logger.ts";
import type { VariantService } from "../variants/variant_service.ts";
import type { SharedCache } from "./shared_cache.ts";
import { createUuidV7 } from "./uuid_v7.ts";

/** What purging needs of the other parts. */
export interface PurgingParts {
  readonly database: Database;
  readonly store: ObjectStore;
  readonly variants: VariantService;
  /** Null when instances share nothing. */
  readonly shared: SharedCache | null;
  readonly logger: Logger;
}

/** Wires the purging of everything that was made from an asset. */
export function createPurging(config: Config, parts: PurgingParts): PurgeService {
  const { variants, shared, logger } = parts;
  const cdns: CdnPurge[] = [];
  if (config.onDenoDeploy) cdns.push(createDenoCdnPurge());
  const { cloudflare } = config.delivery;
  if (cloudflare) cdns.push(createCloudflarePurge(cloudflare));
  const bytes = createStoredBytesLayer({
    content: createAssetRemoval(parts.database),
    objects: parts.store,
    newId: createUuidV7,
    now: () => performance.now(),
  });
  const layers: PurgeLayer[] = [
    bytes,
    ...(shared ? [createSharedCacheLayer(shared.cache)] : []),
    createMemoryLayer((hash) => variants.purgeLocal(hash), shared?.bus ?? null),
    ...(cdns.length > 0 ? [createCdnLayer(cdns)] : []),
  ];
  return createPurgeService({
    outbox: createPurgeOutbox(parts.database),
    layers,
    reportFailure: (layer, error) =>
      logger.log("error", "purge failed", { layer, error: describeError(error) }),
  });
}
