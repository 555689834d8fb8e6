/** A reconciler on a catalog in Postgres, with the adapters of production. */
import type { Database } from "../../src/adapters/postgres/database.ts";
import { createJobLeases } from "../../src/adapters/postgres/job_leases.ts";
import { createReconcileCatalog } from "../../src/adapters/postgres/reconcile_catalog.ts";
import { createReconcileRecords } from "../../src/adapters/postgres/reconcile_records.ts";
import type { ReconcileLimits } from "../../src/reconcile/ports.ts";
import {
  createReconciler,
  DEFAULT_RECONCILE_LIMITS,
  type Reconciler,
  type ReconcilerDeps,
} from "../../src/reconcile/reconciler.ts";

/** What tests choose; limits that are not given are the service's. */
export interface PostgresReconcilerOptions
  extends Pick<ReconcilerDeps, "objects" | "reportFailure" | "retryPauseMs"> {
  readonly limits?: Partial<ReconcileLimits>;
  /** Rows that are read at once. */
  readonly pageRows?: number;
}

/** Creates one; it is not started. */
export function createPostgresReconciler(
  database: Database,
  { limits, pageRows, ...options }: PostgresReconcilerOptions,
): Reconciler {
  return createReconciler({
    catalog: createReconcileCatalog(database, pageRows === undefined ? {} : { pageRows }),
    records: createReconcileRecords(database),
    leases: createJobLeases(database),
    limits: { ...DEFAULT_RECONCILE_LIMITS, ...limits },
    newId: () => crypto.randomUUID(),
    monotonicMs: () => performance.now(),
    random: Math.random,
    ...options,
  });
}
