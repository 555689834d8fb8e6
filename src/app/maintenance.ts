/**
 * What the maintenance commands are wired from: the parts of the service that they need, without
 * its routes.
 *
 * @module
 */
import type { Database } from "../adapters/postgres/database.ts";
import { runLifecycleCommand } from "../cli/lifecycle.ts";
import { runReconcileCommand } from "../cli/reconcile.ts";
import { printErrorLine, printLine, writeAll } from "../cli/terminal.ts";
import type { Config } from "../config.ts";
import type { ObjectStore } from "../core/object_store.ts";
import { createLogger } from "../telemetry/logger.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { createTracing } from "../telemetry/tracing.ts";
import { createReconciling } from "./reconciling.ts";
import { openStorage } from "./storage.ts";

/** What a command is given. */
export interface CommandParts {
  readonly database: Database;
  readonly args: readonly string[];
}

/** `reconcile`: one run, to its end. */
export async function reconcileOnce(config: Config, parts: CommandParts): Promise<number> {
  return await withStorage(config, async (store) => {
    const logger = createStderrLogger(config);
    // Nobody scrapes so short a process. The gauges of the running service read what the run has
    // recorded in the catalog; its duration is printed, or exported where Deno does that itself.
    const exporter = config.metricsExporter;
    const { reconciler, records } = createReconciling({
      database: parts.database,
      store,
      logger,
      metrics: await createMetrics({ exporter }),
      tracing: createTracing({ exporter }),
    });
    const stop = () => void reconciler.close();
    Deno.addSignalListener("SIGINT", stop);
    try {
      return await runReconcileCommand(parts.args, {
        reconciler,
        records,
        printLine,
        printErrorLine,
      });
    } finally {
      Deno.removeSignalListener("SIGINT", stop);
      logger.flush();
    }
  });
}

/** `lifecycle --show|--apply`. */
export async function runLifecycle(config: Config, args: readonly string[]): Promise<number> {
  const { storage, upload } = config;
  return await withStorage(config, (bucket) =>
    runLifecycleCommand(args, {
      bucket,
      dialect: storage.kind === "s3" ? storage.dialect : "ceph-tiered",
      uploadDays: Math.ceil(upload.sessionTtlMs / (24 * 3_600_000)),
      printLine,
      printErrorLine,
    }));
}

async function withStorage<T>(
  config: Config,
  work: (store: ObjectStore) => Promise<T>,
): Promise<T> {
  const { store } = await openStorage(config.storage);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Standard output is the report's. */
function createStderrLogger(config: Config) {
  return createLogger({
    write: (lines) => writeAll(Deno.stderr, lines),
    level: config.http.logLevel === "info" ? "warn" : config.http.logLevel,
    now: () => new Date(),
  });
}
