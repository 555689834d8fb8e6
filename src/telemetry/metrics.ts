/**
 * The service's instruments: one closed table, recorded through the OpenTelemetry API.
 *
 * With `OTEL_DENO=true` the runtime exports them; otherwise `/metrics` serves the same instruments
 * as Prometheus text. Dashboards and alert rules may name only what this table names.
 *
 * @module
 */
import { type Counter, type Histogram, type Meter, metrics } from "@opentelemetry/api";
import type { MetricReader } from "@opentelemetry/sdk-metrics";

interface InstrumentInfo {
  readonly kind: "counter" | "histogram" | "gauge";
  readonly description: string;
  readonly unit?: string;
  /** Upper bounds of histogram buckets, in `unit`. */
  readonly buckets?: readonly number[];
}

const LATENCY_BUCKETS_MS = [1, 2.5, 5, 10, 15, 25, 40, 60, 80, 120, 200, 400, 800, 1_600, 5_000];
const JOB_BUCKETS_MS = [1e2, 1e3, 1e4, 6e4, 3e5, 9e5, 3.6e6, 1.08e7];

/** Every instrument of the service. Names follow Prometheus: base unit last, counters end in `_total`. */
export const INSTRUMENTS = {
  variant_compute_ms: {
    kind: "histogram",
    description: "Time to render one variant, from source bytes to encoded bytes",
    unit: "ms",
    buckets: LATENCY_BUCKETS_MS,
  },
  variant_renders_total: { kind: "counter", description: "Renders, by outcome" },
  cache_requests_total: { kind: "counter", description: "Variant requests that asked the caches" },
  cache_hits_total: { kind: "counter", description: "Variant requests answered by a tier" },
  cache_errors_total: { kind: "counter", description: "Failed operations of a cache, by tier" },
  http_requests_total: {
    kind: "counter",
    description: "Requests, by route group and status class",
  },
  http_problems_total: { kind: "counter", description: "Problem answers, by kind of failure" },
  egress_bytes_total: { kind: "counter", description: "Bytes sent to clients", unit: "By" },
  uploads_total: { kind: "counter", description: "Finished uploads, by outcome" },
  upload_bytes_total: { kind: "counter", description: "Bytes received in uploads", unit: "By" },
  catalog_insert_ms: {
    kind: "histogram",
    description: "Time of the transaction that records an upload",
    unit: "ms",
    buckets: LATENCY_BUCKETS_MS,
  },
  catalog_query_ms: {
    kind: "histogram",
    description: "Time of catalog queries and transactions",
    unit: "ms",
    buckets: LATENCY_BUCKETS_MS,
  },
  reconcile_duration_ms: {
    kind: "histogram",
    description: "Time of a reconciliation run",
    unit: "ms",
    buckets: JOB_BUCKETS_MS,
  },
  mismatch_count: { kind: "gauge", description: "Findings of the last reconciliation run" },
  drift_ratio: {
    kind: "gauge",
    description: "Findings of the last run per object scanned, 0 to 1",
  },
  storage_bytes: { kind: "gauge", description: "Bytes of originals in the catalog", unit: "By" },
  render_queue_depth: { kind: "gauge", description: "Renders waiting for memory or a worker" },
  inflight_megapixels: { kind: "gauge", description: "Megapixels of the sources being rendered" },
} as const satisfies Record<string, InstrumentInfo>;

type Name<K extends InstrumentInfo["kind"]> = {
  [N in keyof typeof INSTRUMENTS]: (typeof INSTRUMENTS)[N]["kind"] extends K ? N : never;
}[keyof typeof INSTRUMENTS];

/** Names of counters. */
export type CounterName = Name<"counter">;
/** Names of histograms. */
export type HistogramName = Name<"histogram">;
/** Names of gauges. */
export type GaugeName = Name<"gauge">;
/** Low-cardinality labels: never a hash, an id, a path or an address. */
export type Labels = Readonly<Record<string, string>>;

/** Records what happens. Never throws. */
export interface Metrics {
  /** Adds to a counter. */
  add(name: CounterName, value: number, labels?: Labels): void;
  /** A counter with its labels found once, for what is counted with every request. */
  counter(name: CounterName, labels?: Labels): (value: number) => void;
  /** Records one value of a histogram, in its unit. */
  record(name: HistogramName, value: number, labels?: Labels): void;
  /** Sets where a gauge is read when it is collected; null means there is nothing to report yet. */
  observe(name: GaugeName, read: () => number | null): void;
  /** The instruments as Prometheus text, or null when the runtime exports them. */
  serialize(): Promise<string | null>;
}

/**
 * Creates the instruments.
 *
 * @param options.exporter `runtime` when Deno itself exports (`OTEL_DENO=true`), else `prometheus`.
 */
export async function createMetrics(
  options: { readonly exporter: "runtime" | "prometheus" },
): Promise<Metrics> {
  if (options.exporter === "runtime") {
    return buildMetrics(metrics.getMeter("facet"), () => Promise.resolve(null));
  }
  const sdk = await import("@opentelemetry/sdk-metrics");
  const reader: MetricReader = new class extends sdk.MetricReader {
    protected override onForceFlush = () => Promise.resolve();
    protected override onShutdown = () => Promise.resolve();
  }();
  const provider = new sdk.MeterProvider({ readers: [reader] });
  return buildMetrics(provider.getMeter("facet"), async () => {
    const { PrometheusSerializer } = await import("@opentelemetry/exporter-prometheus");
    const { resourceMetrics } = await reader.collect();
    return new PrometheusSerializer(undefined, false, undefined, true, true)
      .serialize(resourceMetrics);
  });
}

function buildMetrics(meter: Meter, serialize: Metrics["serialize"]): Metrics {
  const counters = new Map<string, Counter>();
  const histograms = new Map<string, Histogram>();
  const gauges = new Map<string, () => number | null>();
  for (const [name, info] of Object.entries<InstrumentInfo>(INSTRUMENTS)) {
    const { description, unit = "", buckets } = info;
    if (info.kind === "counter") {
      counters.set(name, meter.createCounter(name, { description, unit }));
    } else if (info.kind === "histogram") {
      const advice = { explicitBucketBoundaries: [...buckets ?? []] };
      histograms.set(name, meter.createHistogram(name, { description, unit, advice }));
    } else {
      meter.createObservableGauge(name, { description, unit }).addCallback((result) => {
        const value = gauges.get(name)?.() ?? null;
        if (value !== null) result.observe(value);
      });
    }
  }
  const batch = createBatch((name, value, labels) => counters.get(name)!.add(value, labels));
  return {
    add: (name, value, labels) => batch.counter(name, labels)(value),
    counter: batch.counter,
    record: (name, value, labels) => histograms.get(name)!.record(value, labels),
    observe: (name, read) => void gauges.set(name, read),
    serialize() {
      batch.flush();
      return serialize();
    },
  };
}

/** How long counts may lag behind. Milliseconds. */
const FLUSH_AFTER_MS = 250;

/**
 * Adds counts up and hands them on a few times a second: a counter of the metrics library costs
 * microseconds, which would be a tenth of a warm hit.
 */
function createBatch(
  write: (name: string, value: number, labels: Labels | undefined) => void,
): { counter: Metrics["counter"]; flush: () => void } {
  // Labels are of low cardinality, so what was counted once may stay.
  const counters = new Map<string, (value: number) => void>();
  const handOns: (() => void)[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    for (const handOn of handOns) handOn();
  }

  function schedule(): void {
    const started = setTimeout(flush, FLUSH_AFTER_MS);
    // Counts of the last quarter of a second must not keep a process alive.
    Deno.unrefTimer(started);
    timer = started;
  }

  function createCounter(name: string, labels: Labels | undefined): (value: number) => void {
    let sum = 0;
    let isPending = false;
    handOns.push(() => {
      if (!isPending) return;
      write(name, sum, labels);
      sum = 0;
      isPending = false;
    });
    return (value) => {
      sum += value;
      isPending = true;
      if (timer === undefined) schedule();
    };
  }

  return {
    flush,
    counter(name, labels) {
      // Callers give the labels of one counter in one order, so their values tell them apart.
      let key: string = name;
      for (const label in labels) key += `\0${labels[label]}`;
      let counter = counters.get(key);
      if (!counter) counters.set(key, counter = createCounter(name, labels));
      return counter;
    },
  };
}
