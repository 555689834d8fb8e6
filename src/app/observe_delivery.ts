import type { Metrics } from "../telemetry/metrics.ts";
import type { DeliveryObserver } from "../variants/ports.ts";

/** Counts what delivery does. */
export function observeDelivery(metrics: Metrics): DeliveryObserver {
  const countRequest = metrics.counter("cache_requests_total");
  const countHit = {
    MEMORY: metrics.counter("cache_hits_total", { tier: "memory" }),
    KV: metrics.counter("cache_hits_total", { tier: "kv" }),
  };
  return {
    cacheLookedUp(tier) {
      countRequest(1);
      if (tier !== null) countHit[tier](1);
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
