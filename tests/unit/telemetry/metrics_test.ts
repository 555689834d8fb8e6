import assert from "node:assert/strict";
import { createMetrics } from "../../../src/telemetry/metrics.ts";

Deno.test("createMetrics() serves what was recorded as Prometheus text", async () => {
  const metrics = await createMetrics({ exporter: "prometheus" });
  metrics.add("cache_hits_total", 2, { tier: "memory" });
  metrics.add("cache_hits_total", 1, { tier: "kv" });
  metrics.record("variant_compute_ms", 33, { format: "webp" });
  metrics.observe("render_queue_depth", () => 7);
  metrics.observe("drift_ratio", () => null);
  const text = await metrics.serialize() ?? "";
  assert.match(text, /^cache_hits_total\{tier="memory"\} 2$/m);
  assert.match(text, /^cache_hits_total\{tier="kv"\} 1$/m);
  assert.match(text, /^variant_compute_ms_bucket\{format="webp",le="40"\} 1$/m);
  assert.match(text, /^render_queue_depth 7$/m);
  assert.doesNotMatch(text, /^drift_ratio /m);
});

Deno.test("createMetrics() adds up counts of equal labels and keeps others apart", async () => {
  const metrics = await createMetrics({ exporter: "prometheus" });
  for (const status of ["2xx", "4xx", "2xx"]) {
    metrics.add("http_requests_total", 1, { route: "variant", status });
  }
  const text = await metrics.serialize() ?? "";
  assert.match(text, /^http_requests_total\{route="variant",status="2xx"\} 2$/m);
  assert.match(text, /^http_requests_total\{route="variant",status="4xx"\} 1$/m);
});

Deno.test("createMetrics() leaves exporting to the runtime when asked to", async () => {
  const metrics = await createMetrics({ exporter: "runtime" });
  metrics.add("uploads_total", 1);
  assert.equal(await metrics.serialize(), null);
});
