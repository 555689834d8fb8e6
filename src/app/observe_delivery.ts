import type { Metrics } from "../telemetry/metrics.ts";
import type { DeliveryObserver } from "../variants/ports.ts";

/** How long counts of lookups may lag behind. */
const FLUSH_MS = 250;

/**
 * Counts what delivery does.
 *
 * Lookups are added up and handed on a few times a second: a counter of the metrics library costs
 * microseconds, which would be a tenth of a warm hit.
 */
export function observeDelivery(metrics: Metrics): DeliveryObserver {
  const lookups = { MEMORY: 0, KV: 0, none: 0 };
  let timer: ReturnType<typeof setTimeout> | undefined;

  function flush(): void {
    timer = undefined;
    const { MEMORY, KV, none } = lookups;
    lookups.MEMORY = lookups.KV = lookups.none = 0;
    metrics.add("cache_requests_total", MEMORY + KV + none);
    if (MEMORY > 0) metrics.add("cache_hits_total", MEMORY, { tier: "memory" });
    if (KV > 0) metrics.add("cache_hits_total", KV, { tier: "kv" });
  }

  return {
    cacheLookedUp(tier) {
      lookups[tier ?? "none"]++;
      if (timer !== undefined) return;
      const started = setTimeout(flush, FLUSH_MS);
      // Counts of the last quarter of a second must not keep a process alive.
      Deno.unrefTimer(started);
      timer = started;
    },
    rendered(computeMs) {
      metrics.record("variant_compute_ms", computeMs);
      metrics.add("variant_renders_total", 1);
    },
    cacheFailed(operation, cause) {
      metrics.add("cache_errors_total", 1, { operation, cause });
    },
  };
}
