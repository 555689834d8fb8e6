/** A small OpenTelemetry collector: takes OTLP over HTTP as JSON and keeps what it is sent. */

interface OtlpAttribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** A span as it was sent. */
export interface CollectedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly OtlpAttribute[];
  readonly status?: { readonly code?: number; readonly message?: string };
}

/** A running collector. */
export interface OtlpCollector extends AsyncDisposable {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly endpoint: string;
  readonly spans: readonly CollectedSpan[];
  /** Names of every metric that was sent with data. */
  readonly metricNames: ReadonlySet<string>;
}

interface Traces {
  readonly resourceSpans: { scopeSpans: { spans: CollectedSpan[] }[] }[];
}

interface Metrics {
  readonly resourceMetrics: { scopeMetrics: { metrics: { name: string }[] }[] }[];
}

/** Starts a collector on a free port of the loopback. */
export function startOtlpCollector(): OtlpCollector {
  const spans: CollectedSpan[] = [];
  const metricNames = new Set<string>();

  async function receive(request: Request): Promise<Response> {
    const body: unknown = await request.json();
    const { pathname } = new URL(request.url);
    if (pathname === "/v1/traces") {
      for (const { scopeSpans } of (body as Traces).resourceSpans) {
        spans.push(...scopeSpans.flatMap((scope) => scope.spans));
      }
    }
    if (pathname === "/v1/metrics") {
      for (const { scopeMetrics } of (body as Metrics).resourceMetrics) {
        for (const { metrics } of scopeMetrics) {
          metrics.forEach(({ name }) => metricNames.add(name));
        }
      }
    }
    return Response.json({});
  }

  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, receive);
  return {
    endpoint: `http://127.0.0.1:${server.addr.port}`,
    spans,
    metricNames,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
