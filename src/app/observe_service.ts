import type { DatabaseEvent } from "../adapters/postgres/database.ts";
import type { AnsweredRequest } from "../http/middleware/request_context.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Ingest, UploadResult } from "../uploads/ports.ts";

/** The transactions by which an upload is recorded. */
const INSERTS: ReadonlySet<string> = new Set(["upload.claim", "upload.publish"]);

/** Measures the catalog's operations. */
export function observeDatabase(metrics: Metrics): (event: DatabaseEvent) => void {
  return ({ name, durationMs, error }) => {
    const outcome = error === undefined ? "ok" : "error";
    metrics.record("catalog_query_ms", durationMs, { operation: name, outcome });
    if (INSERTS.has(name)) metrics.record("catalog_insert_ms", durationMs, { operation: name });
  };
}

/** Counts answers and the bytes that leave. */
export function observeAnswers(metrics: Metrics): (answer: AnsweredRequest) => void {
  const routes = new Map<string, ReturnType<typeof createCounters>>();

  function createCounters(route: string) {
    return {
      egress: metrics.counter("egress_bytes_total", { route }),
      requests: [1, 2, 3, 4, 5].map((digit) =>
        metrics.counter("http_requests_total", { route, status: `${digit}xx` })
      ),
    };
  }

  return ({ route, status, bytes }) => {
    let counters = routes.get(route);
    if (!counters) routes.set(route, counters = createCounters(route));
    counters.requests[Math.floor(status / 100) - 1](1);
    if (bytes > 0) counters.egress(bytes);
  };
}

/** Counts uploads, whichever way they came in. */
export function observeIngest(ingest: Ingest, metrics: Metrics): Ingest {
  async function count(upload: Promise<UploadResult>): Promise<UploadResult> {
    try {
      const result = await upload;
      metrics.add("uploads_total", 1, { outcome: result.created ? "created" : "known" });
      metrics.add("upload_bytes_total", result.asset.sizeBytes);
      return result;
    } catch (error) {
      metrics.add("uploads_total", 1, { outcome: "failed" });
      throw error;
    }
  }
  return {
    ...ingest,
    ingest: (body, request) => count(ingest.ingest(body, request)),
    adoptStaged: (upload) => count(ingest.adoptStaged(upload)),
  };
}
