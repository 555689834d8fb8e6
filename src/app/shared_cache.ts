import { createKvGuard } from "../adapters/kv/kv_guard.ts";
import { createKvPurgeBus } from "../adapters/kv/kv_purge_bus.ts";
import { createKvRenderLease } from "../adapters/kv/kv_render_lease.ts";
import { createKvVariantCache } from "../adapters/kv/kv_variant_cache.ts";
import { createReopeningKv } from "../adapters/kv/reopening_kv.ts";
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

/** Longest time that a start waits for KV; it goes on opening afterwards. Milliseconds. */
const OPEN_WAIT_MS = 250;

/**
 * Opens the configured KV store; null when none is configured. One that is out of reach is tried
 * again and again, while the service works on memory alone.
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
  // A remote store's token is read from DENO_KV_ACCESS_TOKEN by Deno itself.
  const path = target.kind === "local"
    ? target.path
    : target.kind === "remote"
    ? target.url
    : undefined;
  const store = createReopeningKv({
    open: () => Deno.openKv(path),
    onFailure: (error) =>
      parts.logger.log("error", "cannot open Deno KV", { error: describeError(error) }),
  });
  const { kv } = store;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, OPEN_WAIT_MS));
  await Promise.race([store.firstTry, late]);
  clearTimeout(timer);
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
    close: () => store.close(),
  };
}
