import { createKvGuard } from "../adapters/kv/kv_guard.ts";
import { createKvPurgeBus } from "../adapters/kv/kv_purge_bus.ts";
import { createKvRenderLease } from "../adapters/kv/kv_render_lease.ts";
import { createKvVariantCache } from "../adapters/kv/kv_variant_cache.ts";
import type { Config } from "../config.ts";
import type { Logger } from "../telemetry/logger.ts";
import { describeError } from "../telemetry/logger.ts";
import type { DeliveryObserver, PurgeBus, RenderLease, VariantCache } from "../variants/ports.ts";

/** What instances share through Deno KV. */
export interface SharedCache {
  readonly cache: VariantCache;
  readonly leases: RenderLease;
  readonly bus: PurgeBus;
  /** Whether KV answers; rejects when it does not. */
  probe(): Promise<boolean>;
  close(): void;
}

/**
 * Opens the configured KV store; null when there is none, or when it cannot be opened: the service
 * then works on memory alone.
 */
export async function openSharedCache(
  config: Config,
  parts: {
    readonly rendererVersion: string;
    readonly observer: DeliveryObserver;
    readonly logger: Logger;
  },
): Promise<SharedCache | null> {
  const { kv: target, variants } = config;
  if (target.kind === "none") return null;
  let kv: Deno.Kv;
  try {
    // A remote store's token is read from DENO_KV_ACCESS_TOKEN by Deno itself.
    kv = await Deno.openKv(
      target.kind === "local" ? target.path : target.kind === "remote" ? target.url : undefined,
    );
  } catch (error) {
    parts.logger.log("error", "cannot open Deno KV", { error: describeError(error) });
    return null;
  }
  const nowMs = () => performance.now();
  const { rendererVersion, observer } = parts;
  const guard = createKvGuard({ nowMs, observer });
  return {
    cache: createKvVariantCache({
      kv,
      guard,
      rendererVersion,
      observer,
      maxValueBytes: variants.kvMaxValueBytes,
      ttlMs: variants.kvTtlMs,
    }),
    leases: createKvRenderLease({
      kv,
      guard,
      rendererVersion,
      instanceId: crypto.randomUUID(),
      nowMs,
    }),
    bus: createKvPurgeBus({ kv, observer }),
    probe: async () => {
      await kv.get(["facet", "probe"]);
      return true;
    },
    close: () => kv.close(),
  };
}
