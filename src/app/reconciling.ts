import { createJobLeases } from "../adapters/postgres/job_leases.ts";
import type { Database } from "../adapters/postgres/database.ts";
import { createReconcileCatalog } from "../adapters/postgres/reconcile_catalog.ts";
import { createReconcileRecords } from "../adapters/postgres/reconcile_records.ts";
import type { ObjectStore } from "../core/object_store.ts";
import { hasCode } from "../errors.ts";
import type { HttpRoutes } from "../http/http_env.ts";
import type { Authenticator } from "../http/middleware/authentication.ts";
import { reconcileRoutes } from "../http/routes/reconcile.ts";
import type { ReconcileRecords, RunRecord } from "../reconcile/ports.ts";
import {
  createReconciler,
  DEFAULT_RECONCILE_LIMITS,
  type Reconciler,
  type RunRequest,
} from "../reconcile/reconciler.ts";
import { calculateDriftRatio, countMismatches } from "../core/drift_ratio.ts";
import { describeError, type Logger } from "../telemetry/logger.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { NO_TRACING, type Tracing } from "../telemetry/tracing.ts";
import { createUuidV7 } from "./uuid_v7.ts";

/** What reconciliation needs of the other parts. */
export interface ReconcilingParts {
  readonly database: Database;
  readonly store: ObjectStore;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** @default {NO_TRACING} */
  readonly tracing?: Tracing;
}

/** Reconciliation, wired up. */
export interface Reconciling {
  readonly reconciler: Reconciler;
  readonly records: ReconcileRecords;
  routes(authenticator: Authenticator): HttpRoutes;
  /** The daily run: all shards, moving objects too. */
  runDaily(): Promise<unknown>;
  /** Goes on with a run that was killed. */
  resume(): Promise<unknown>;
}

/** How old the figures of the gauges may be. Milliseconds. */
const REFRESH_MS = 60_000;

/** Wires the comparison of catalog and bucket. */
export function createReconciling(parts: ReconcilingParts): Reconciling {
  const { database, logger, metrics, tracing = NO_TRACING } = parts;
  const records = createReconcileRecords(database);
  const gauges = observeLatestRun(records, metrics);
  const reconciler = createReconciler({
    catalog: createReconcileCatalog(database),
    records,
    objects: parts.store,
    leases: createJobLeases(database),
    limits: DEFAULT_RECONCILE_LIMITS,
    newId: createUuidV7,
    monotonicMs: () => performance.now(),
    random: Math.random,
    reportFailure: (event, { error, ...about }) =>
      logger.log("warn", event, { ...about, error: describeError(error) }),
    onFinished(run, durationMs) {
      metrics.record("reconcile_duration_ms", durationMs);
      tracing.record("reconcile", { durationMs, attributes: { "facet.status": run.status } });
      gauges.forget();
      logger.log("info", "reconciled", { run: run.id, counts: run.counts });
    },
  });
  const reportFailure = (error: unknown) =>
    logger.log("error", "reconciliation failed", { error: describeError(error) });
  return {
    reconciler,
    records,
    routes: (authenticator) =>
      reconcileRoutes({ reconciler, records, authenticator, reportFailure }),
    runDaily: () => runToEnd(reconciler, { repair: true }),
    async resume() {
      const open = await records.findOpen();
      if (open === null) return "nothing to go on with";
      const { dryRun, repair, firstShard, lastShard } = open;
      const shard = firstShard === lastShard ? firstShard : undefined;
      return await runToEnd(reconciler, { dryRun, repair, shard });
    },
  };
}

async function runToEnd(
  reconciler: Reconciler,
  request: Omit<RunRequest, "requestedBy">,
): Promise<unknown> {
  try {
    const { done } = await reconciler.start({ ...request, requestedBy: "schedule" });
    return (await done).counts;
  } catch (error) {
    // Somebody else's run is as good as ours.
    if (hasCode(error, "state_conflict")) return "another run is under way";
    throw error;
  }
}

/**
 * Shows the newest complete run on every instance, whichever ran it: reading a gauge asks the
 * database for it, at most once a minute, and shows what the last asking brought.
 */
function observeLatestRun(records: ReconcileRecords, metrics: Metrics): { forget(): void } {
  let latest: RunRecord | null = null;
  let askedAtMs = -Infinity;
  function readCounts() {
    if (performance.now() - askedAtMs > REFRESH_MS) {
      askedAtMs = performance.now();
      records.findLatest().then((run) => latest = run, () => {});
    }
    return latest?.counts ?? null;
  }
  metrics.observe("mismatch_count", () => {
    const counts = readCounts();
    return counts && countMismatches(counts);
  });
  metrics.observe("drift_ratio", () => {
    const counts = readCounts();
    return counts && calculateDriftRatio(counts);
  });
  metrics.observe("storage_bytes", () => readCounts()?.rowBytes ?? null);
  return { forget: () => void (askedAtMs = -Infinity) };
}
