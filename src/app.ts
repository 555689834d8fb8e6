/**
 * The composition root: the only place (with the files of `app/`) that constructs adapters and
 * hands them to the features.
 *
 * @module
 */
import type { Config } from "./config.ts";
import { ensurePartitions } from "./adapters/postgres/partitions.ts";
import { createDeliveryCatalog } from "./adapters/postgres/delivery_catalog.ts";
import { createFocalPointStore } from "./adapters/postgres/focal_points.ts";
import { createUploadQuota } from "./adapters/postgres/upload_quota.ts";
import { createKeyCatalog } from "./adapters/postgres/key_catalog.ts";
import { createPlaceholderMaker } from "./adapters/workers/placeholder_maker.ts";
import { createUsageStore } from "./adapters/postgres/usage_store.ts";
import { createArchiving } from "./app/archiving.ts";
import { openCatalog } from "./app/catalog.ts";
import { checkPriceProfile, createCosting } from "./app/costing.ts";
import { buildAllowList, createDelivery } from "./app/delivery.ts";
import { createIngestion } from "./app/ingestion.ts";
import { createManaging } from "./app/managing.ts";
import type { Service } from "./app/serve.ts";
import { createPurging } from "./app/purging.ts";
import { createReconciling } from "./app/reconciling.ts";
import { observeDelivery } from "./app/observe_delivery.ts";
import { observeAnswers, observeDatabase } from "./app/observe_service.ts";
import { openSharedCache } from "./app/shared_cache.ts";
import { openStorage } from "./app/storage.ts";
import { traceDatabase, traceStore } from "./app/traced.ts";
import type { ContentHash } from "./core/content_hash.ts";
import { createHttpApp } from "./http/app.ts";
import { listAllowedMethods } from "./http/other_methods.ts";
import { assetVariantRoutes } from "./http/routes/asset_variants.ts";
import { healthRoutes } from "./http/routes/health.ts";
import { metricsRoutes } from "./http/routes/metrics.ts";
import { openApiRoutes } from "./http/routes/openapi.ts";
import { purgeRoutes } from "./http/routes/purge.ts";
import { RENDERER_VERSION } from "./image/renderer_version.ts";
import { createKeyAuthenticator } from "./keys/key_authenticator.ts";
import type { JobName, JobRunner } from "./jobs/schedule.ts";
import { describeError, type Logger } from "./telemetry/logger.ts";
import { createMetrics } from "./telemetry/metrics.ts";
import { createTracing } from "./telemetry/tracing.ts";
import { createUsageRecorder } from "./variants/usage_recorder.ts";

/** How long a readiness probe of one dependency may take. Milliseconds. */
const PROBE_TIMEOUT_MS = 2_000;

/** What the service is given besides its configuration. */
export interface AppOptions {
  readonly logger: Logger;
  /** Applies pending migrations first, as development does; production does so before it deploys. */
  readonly migrate: boolean;
}

/** The service, and the jobs that run beside it. */
export interface App extends Service {
  readonly runJob: JobRunner;
  /** The methods that each resource answers, by the pattern of its path. */
  readonly resources: ReadonlyMap<string, readonly string[]>;
  /** Starts the render workers, so that the first variant need not. Never fails. */
  warm(): Promise<void>;
}

/** Builds the service. Everything but an embedded database is opened on first use. */
export async function createApp(config: Config, options: AppOptions): Promise<App> {
  const { logger } = options;
  await checkPriceProfile(config.upkeep.cost.profile);
  const metrics = await createMetrics({ exporter: config.metricsExporter });
  const tracing = createTracing({ exporter: config.metricsExporter });
  const catalog = await openCatalog(config.database, {
    observe: traceDatabase(tracing, observeDatabase(metrics)),
  });
  const { database } = catalog;
  if (options.migrate) {
    const { migrateDatabase, readMigrations } = await import("./adapters/postgres/migrations.ts");
    await migrateDatabase(database, await readMigrations());
  }
  const storage = await openStorage(config.storage);
  const { diskPresigner } = storage;
  const store = traceStore(storage.store, tracing);
  const authenticator = createKeyAuthenticator({
    keys: createKeyCatalog(database),
    adminKey: config.adminKey,
    now: () => performance.now(),
  });
  const quota = createUploadQuota(database);
  const observer = observeDelivery(metrics);
  const shared = await openSharedCache(config, {
    rendererVersion: RENDERER_VERSION,
    observer,
    logger,
  });
  const usage = createUsageStore(database);
  const access = createUsageRecorder({
    store: usage,
    newId: () => crypto.randomUUID(),
    now: () => new Date(),
    reportFailure: (error) =>
      logger.log("warn", "usage not recorded", { error: describeError(error) }),
  });
  const delivery = createDelivery(config, {
    database,
    store,
    metrics,
    tracing,
    observer,
    shared,
    access,
  });
  const ingestion = createIngestion(config, {
    database,
    store,
    diskPresigner,
    authenticator,
    quota,
    logger,
    metrics,
    tracing,
    placeholders: createPlaceholderMaker({
      objects: store,
      renderer: delivery.renderer,
      maxSourceBytes: config.render.maxSourceBytes,
    }),
    onUploaded: (hash: ContentHash) => delivery.variants.forget(hash),
  });
  const purges = createPurging(config, {
    database,
    store,
    variants: delivery.variants,
    shared,
    logger,
  });
  const reconciling = createReconciling({ database, store, metrics, tracing, logger });
  const costing = createCosting(config, database);
  const archiving = createArchiving(config, {
    database,
    store,
    logger,
    authenticator,
    onRestored: (hash) => delivery.variants.forget(hash),
  });
  const jobs: Readonly<Record<JobName, () => Promise<unknown>>> = {
    "sweep-uploads": () => ingestion.sweep.run(),
    "finish-purges": () => purges.runPending(),
    "make-partitions": () => ensurePartitions(database, { monthsAhead: 2 }),
    "reconcile": () => reconciling.runDaily(),
    "resume-reconcile": () => reconciling.resume(),
    "archive-unused": () => archiving.archiveUnused(),
    "finish-restores": () => archiving.finishRestores(),
    "cost-digest": () => costing.sendDigest(),
  };
  const runJob: JobRunner = async (name) => {
    await tracing.run(`job ${name}`, {}, async () => {
      logger.log("info", "job finished", { job: name, report: await jobs[name]() });
    });
  };
  let shuttingDown = false;
  const http = createHttpApp({
    routes: [
      healthRoutes({
        dependencies: [
          {
            name: "catalog",
            required: true,
            probe: async () =>
              (await database.ping()).readOnly ? "read-only: uploads and changes fail" : true,
          },
          {
            name: "storage",
            required: true,
            probe: async (signal) => {
              await store.ping({ signal });
              return true;
            },
          },
          { name: "kv", required: false, probe: () => shared?.probe() ?? Promise.resolve(false) },
        ],
        probeTimeoutMs: PROBE_TIMEOUT_MS,
        nowMs: () => performance.now(),
        isShuttingDown: () => shuttingDown,
      }),
      metricsRoutes({ serialize: metrics.serialize }),
      openApiRoutes(),
      ...ingestion.routes,
      ...delivery.routes,
      purgeRoutes({ purges, authenticator }),
      reconciling.routes(authenticator),
      archiving.routes,
      costing.routes(authenticator),
      assetVariantRoutes({
        authenticator,
        purges,
        assets: createDeliveryCatalog(database),
        isKnownTo: async (tenant, hash) =>
          await ingestion.ingest.knownToTenant(tenant, hash) !== null,
        focalPoints: createFocalPointStore(database),
        allowList: buildAllowList(config),
        presets: config.delivery.presets,
        service: delivery.variants,
        cache: shared?.cache ?? null,
        ledger: usage,
      }),
      createManaging(config, { database, authenticator, purges, logger }),
    ],
    answerAtOnce: delivery.answerAtOnce,
    logger,
    maxHeaderBytes: config.http.maxHeaderBytes,
    newId: () => crypto.randomUUID(),
    nowMs: () => performance.now(),
    accessLog: config.http.accessLog
      ? (fields) => logger.log("info", "request", fields)
      : undefined,
    onAnswered: observeAnswers(metrics),
    onProblem: ({ kind, code }) => metrics.add("http_problems_total", 1, { kind, code }),
  });
  return {
    runJob,
    resources: listAllowedMethods(http),
    warm: () => delivery.renderer.warm(),
    fetch: (request, peer) => http.fetch(request, peer),
    beginShutdown() {
      shuttingDown = true;
    },
    async close() {
      await Promise.all([ingestion.ingest.settled(), reconciling.reconciler.close()]);
      await access.close();
      await delivery.close();
      shared?.close();
      await store.close();
      await catalog.close();
    },
  };
}
