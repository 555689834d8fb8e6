/**
 * Spans, through the OpenTelemetry API.
 *
 * Deno exports them with `OTEL_DENO=true`, and makes those of HTTP requests and of `fetch` itself;
 * what it cannot know (variants and their stages, uploads, runs of jobs, catalog and object store)
 * is added here. Without it everything is passed through, at the cost of one comparison.
 *
 * @module
 */
import { type Attributes, context, type Span, SpanStatusCode, trace } from "@opentelemetry/api";

/** What a span says besides its name. Low-cardinality, and never a secret. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** Something that has already happened. Milliseconds. */
export interface FinishedWork {
  readonly durationMs: number;
  readonly attributes?: SpanAttributes;
  readonly error?: unknown;
}

/** A span that is under way. */
export interface OpenSpan {
  /** Adds to what the span says. */
  describe(attributes: SpanAttributes): void;
  /** Adds one child for each stage, in the order in which they followed each other, ending now. */
  addStages(stages: Readonly<Record<string, number>>): void;
}

/** Records spans. */
export interface Tracing {
  /** Whether spans go anywhere: what only prepares them can be left out otherwise. */
  readonly enabled: boolean;
  /** Runs `work` as a span, which is the parent of every span begun in it. */
  run<Value>(
    name: string,
    attributes: SpanAttributes,
    work: (span: OpenSpan) => Promise<Value>,
  ): Promise<Value>;
  /** Records a span that ends now. */
  record(name: string, work: FinishedWork): void;
}

/** Ids of the span that is active, as members of a log line; undefined outside of spans. */
export function readTraceIds(): { readonly traceId: string; readonly spanId: string } | undefined {
  const active = trace.getActiveSpan()?.spanContext();
  return active && { traceId: active.traceId, spanId: active.spanId };
}

const NO_SPAN: OpenSpan = { describe() {}, addStages() {} };

/** Where nobody exports spans. */
export const NO_TRACING: Tracing = {
  enabled: false,
  run: (_name, _attributes, work) => work(NO_SPAN),
  record() {},
};

/** Creates what records spans; {@linkcode NO_TRACING} unless the runtime exports them. */
export function createTracing(options: { readonly exporter: "runtime" | "prometheus" }): Tracing {
  if (options.exporter !== "runtime") return NO_TRACING;
  const tracer = trace.getTracer("facet");

  function record(name: string, { durationMs, attributes = {}, error }: FinishedWork): void {
    const endedMs = Date.now();
    const span = tracer.startSpan(name, { startTime: endedMs - durationMs, attributes });
    if (error !== undefined) setFailed(span, error);
    span.end(endedMs);
  }

  return {
    enabled: true,
    record,
    async run(name, attributes, work) {
      const span = tracer.startSpan(name, { attributes });
      const inSpan = trace.setSpan(context.active(), span);
      try {
        return await context.with(inSpan, () =>
          work({
            describe: (more) => void span.setAttributes(more as Attributes),
            addStages: (stages) => addStages(stages),
          }));
      } catch (error) {
        setFailed(span, error);
        throw error;
      } finally {
        span.end();
      }

      function addStages(stages: Readonly<Record<string, number>>): void {
        const all = Object.entries(stages);
        let startMs = Date.now() - all.reduce((sum, [, durationMs]) => sum + durationMs, 0);
        for (const [stage, durationMs] of all) {
          tracer.startSpan(`${name} ${stage}`, { startTime: startMs }, inSpan)
            .end(startMs + durationMs);
          startMs += durationMs;
        }
      }
    },
  };
}

/** Marks a span by the stable code of a failure: messages of causes may hold addresses. */
function setFailed(span: Span, error: unknown): void {
  const code = error instanceof Error && "code" in error ? String(error.code) : "internal_error";
  span.setStatus({ code: SpanStatusCode.ERROR, message: code });
}
