import assert from "node:assert/strict";
import { createTracing, NO_TRACING, readTraceIds } from "../../../src/telemetry/tracing.ts";
import { traceIngest, traceStore, traceVariants } from "../../../src/app/traced.ts";
import type { ObjectStore } from "../../../src/core/object_store.ts";
import type { Ingest } from "../../../src/uploads/ports.ts";
import type { VariantService } from "../../../src/variants/variant_service.ts";

Deno.test("createTracing() passes everything through where the runtime exports nothing", async () => {
  const tracing = createTracing({ exporter: "prometheus" });
  assert.equal(tracing, NO_TRACING);
  assert.equal(await tracing.run("x", {}, () => Promise.resolve(7)), 7);
  await assert.rejects(tracing.run("x", {}, () => Promise.reject(new Error("mine"))), /mine/);
  assert.equal(readTraceIds(), undefined);
});

Deno.test("tracing wraps nothing where nobody exports spans", () => {
  const parts = [{}, {}, {}] as unknown as [VariantService, Ingest, ObjectStore];
  assert.equal(traceVariants(parts[0], NO_TRACING), parts[0]);
  assert.equal(traceIngest(parts[1], NO_TRACING), parts[1]);
  assert.equal(traceStore(parts[2], NO_TRACING), parts[2]);
});
