import type { Metrics } from "../telemetry/metrics.ts";
import type { DeliveryObserver } from "../variants/ports.ts";

/** Counts what delivery does. */
export function observeDelivery(metrics: Metrics): DeliveryObserver {
  return {
    cacheLookedUp(tier) {
      metrics.add("cache_requests_total", 1);
      if (tier !== null) metrics.add("cache_hits_total", 1, { tier: tier.toLowerCase() });
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
