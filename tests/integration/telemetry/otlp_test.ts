/** `OTEL_DENO=true`: the real service, and a collector that listens to it. */
import assert from "node:assert/strict";
import {
  type CollectedSpan,
  type OtlpCollector,
  startOtlpCollector,
} from "../../support/otlp_collector.ts";
import { type ServiceProcess, startService } from "../../support/service_process.ts";
import { waitUntil } from "../../support/wait_until.ts";

const ADMIN_KEY = "an-admin-key-for-tests";
const AUTHORIZED = { authorization: `Bearer ${ADMIN_KEY}` };

Deno.test("with OTEL_DENO the service exports spans by stage and its metrics, and logs trace ids", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "facet-otlp-" });
  try {
    await using collector = startOtlpCollector();
    await using service = await startService({
      command: "dev",
      dataDir,
      env: {
        FACET_ADMIN_KEY: ADMIN_KEY,
        OTEL_DENO: "true",
        OTEL_SERVICE_NAME: "facet",
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_METRIC_EXPORT_INTERVAL: "500",
        OTEL_BSP_SCHEDULE_DELAY: "200",
      },
    });
    await makeTraffic(service, dataDir);
    await waitUntil(() => collector.spans.some(({ name }) => name === "reconcile"));
    await waitUntil(() => collector.metricNames.has("drift_ratio"));
    checkSpans(collector);
    for (const name of ["variant_compute_ms", "cache_requests_total", "catalog_insert_ms"]) {
      assert.ok(collector.metricNames.has(name), `${name} was not exported`);
    }
    const text = await (await fetch(`${service.origin}/metrics`)).text();
    assert.match(text, /^# exported by the runtime/);
    await checkLog(service, collector);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

async function makeTraffic({ origin }: ServiceProcess, dataDir: string): Promise<void> {
  const upload = await fetch(`${origin}/v1/assets`, {
    method: "POST",
    headers: AUTHORIZED,
    body: await Deno.readFile(`${dataDir}/sample.png`),
  });
  const { contentHash: hash } = await upload.json();
  for (const expected of ["MISS", "MEMORY"]) {
    const response = await fetch(`${origin}/${hash}/320x240/80.webp`);
    await response.bytes();
    assert.equal(response.headers.get("x-cache"), expected);
  }
  const run = await fetch(`${origin}/v1/admin/reconcile`, {
    method: "POST",
    headers: { ...AUTHORIZED, "content-type": "application/json" },
    body: "{}",
  });
  assert.ok(run.ok, await run.text());
}

function checkSpans({ spans }: OtlpCollector): void {
  const names = new Set(spans.map(({ name }) => name));
  for (const name of ["upload", "sql upload.claim", "storage put", "storage head", "reconcile"]) {
    assert.ok(names.has(name), `there is no span "${name}" in ${[...names].join(", ")}`);
  }
  const variants = spans.filter(({ name }) => name === "variant");
  const cacheOf = (span: CollectedSpan) =>
    span.attributes?.find(({ key }) => key === "facet.cache")?.value.stringValue;
  assert.deepEqual(variants.map(cacheOf).toSorted(), ["MEMORY", "MISS"]);
  const cold = variants.find((span) => cacheOf(span) === "MISS")!;
  const stages = spans.filter(({ parentSpanId }) => parentSpanId === cold.spanId);
  for (const stage of ["lookup", "kv", "read", "decode", "compose", "encode"]) {
    const span = stages.find(({ name }) => name === `variant ${stage}`);
    assert.ok(span, `stage ${stage} has no span`);
    assert.equal(span.traceId, cold.traceId);
    assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano));
  }
  const upload = spans.find(({ name }) => name === "upload")!;
  for (const name of ["sql upload.claim", "storage put"]) {
    const child = spans.find((span) => span.name === name && span.traceId === upload.traceId);
    assert.equal(child?.parentSpanId, upload.spanId, `${name} is not part of the upload`);
  }
  // Deno's own span of the request is the root.
  assert.ok(spans.some(({ spanId }) => spanId === upload.parentSpanId));
}

/** Every access-log line of a request leads to the trace of that request. */
async function checkLog(service: ServiceProcess, { spans }: OtlpCollector): Promise<void> {
  const find = () =>
    service.output().split("\n").filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line))
      .find(({ message, method }) => message === "request" && method === "POST");
  await waitUntil(() => find() !== undefined);
  const upload = spans.find(({ name }) => name === "upload")!;
  assert.equal(find().traceId, upload.traceId);
  assert.match(find().spanId, /^[0-9a-f]{16}$/);
}
