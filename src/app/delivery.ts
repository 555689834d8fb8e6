import type { Config } from "../config.ts";
import { DEFAULT_IMAGE_LIMITS } from "../core/image_budgets.ts";
import type { ObjectStore } from "../core/object_store.ts";
import { DEFAULT_ALLOW_LIST, type VariantAllowList } from "../core/variant_spec.ts";
import { createDeliveryCatalog } from "../adapters/postgres/delivery_catalog.ts";
import type { Database } from "../adapters/postgres/database.ts";
import { createRenderPool, type RenderPool } from "../adapters/workers/render_pool.ts";
import type { AnswerAtOnce } from "../http/fast_lane.ts";
import type { HttpRoutes } from "../http/http_env.ts";
import { createImmediateVariants } from "../http/immediate_variants.ts";
import { createRenderAdmission } from "../http/render_budget.ts";
import { originalRoutes } from "../http/routes/originals.ts";
import { variantRoutes } from "../http/routes/variants.ts";
import { RENDERER_VERSION } from "../image/renderer_version.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import { createAssetDirectory } from "../variants/asset_directory.ts";
import { createOriginalReader } from "../variants/original_reader.ts";
import { createOriginalService } from "../variants/original_service.ts";
import type { AccessRecorder, DeliveryObserver } from "../variants/ports.ts";
import type { SharedCache } from "./shared_cache.ts";
import { traceVariants } from "./traced.ts";
import { createVariantService, type VariantService } from "../variants/variant_service.ts";

/** What delivery is made of, wired up. */
export interface Delivery {
  readonly routes: readonly HttpRoutes[];
  /** Answers before the routes what needs no waiting; undefined where deliveries are traced. */
  readonly answerAtOnce: AnswerAtOnce | undefined;
  readonly variants: VariantService;
  readonly renderer: RenderPool;
  close(): Promise<void>;
}

/** What delivery needs of the other parts. */
export interface DeliveryParts {
  readonly database: Database;
  readonly store: ObjectStore;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  readonly observer: DeliveryObserver;
  /** Null when instances share nothing. */
  readonly shared: SharedCache | null;
  readonly access: AccessRecorder;
}

/** Wires the delivery of variants and originals. */
export function createDelivery(
  config: Config,
  parts: DeliveryParts,
): Delivery {
  const { variants: limits, render, delivery } = config;
  const nowMs = () => performance.now();
  const catalog = createDeliveryCatalog(parts.database);
  const directory = createAssetDirectory({ lookup: catalog, nowMs });
  const reader = createOriginalReader(parts.store);
  const { access, observer, shared } = parts;
  const renderer = createRenderPool({
    size: render.workers,
    timeLimitMs: render.timeLimitMs,
    memoryBudgetBytes: render.memoryBudgetBytes,
    queueLimit: render.queueLimit,
    niceness: render.niceness,
    limits: { ...DEFAULT_IMAGE_LIMITS, maxPixels: render.maxPixels },
  });
  observeRenderer(parts.metrics, renderer);
  const service = createVariantService({
    directory,
    reader,
    renderer,
    missing: catalog,
    observer,
    access,
    nowMs,
    rendererVersion: RENDERER_VERSION,
    cache: shared?.cache ?? null,
    leases: shared?.leases ?? null,
    memoryCacheBytes: limits.memoryCacheBytes,
    maxSourceBytes: render.maxSourceBytes,
    maxRenders: render.workers + 2,
    maxWaitingRenders: Math.max(256, render.queueLimit),
  });
  const variants = traceVariants(service, parts.tracing);
  const originals = createOriginalService({ directory, reader, missing: catalog, access });
  const signatures = {
    keys: delivery.signingKeys,
    required: delivery.requireSignatures,
    nowSeconds: () => Date.now() / 1000,
  };
  const purges = shared?.bus.subscribe((hash) => void variants.purgeLocal(hash));
  const answers = {
    service: variants,
    allowList: buildAllowList(config),
    presets: delivery.presets,
    signatures,
    cacheId: `variants-${RENDERER_VERSION}`,
  };
  return {
    variants,
    renderer,
    // A span needs a promise to end with, which is what the fast lane does without.
    answerAtOnce: parts.tracing.enabled ? undefined : createImmediateVariants(answers),
    async close() {
      renderer.close();
      await variants.settled();
      await purges?.[Symbol.asyncDispose]();
    },
    routes: [
      originalRoutes({ service: originals, signatures }),
      variantRoutes({
        ...answers,
        originals,
        admitRender: createRenderAdmission({
          perMinute: delivery.rendersPerMinute || Infinity,
          trustProxy: config.http.trustProxy,
          nowMs,
        }),
      }),
    ],
  };
}

/** The variants that need no signature. */
export function buildAllowList({ variants, delivery }: Config): VariantAllowList {
  const { widths, heights, qualities, formats } = variants;
  const presets = [...delivery.presets.values()];
  return { ...DEFAULT_ALLOW_LIST, widths, heights, qualities, formats, presets };
}

function observeRenderer(metrics: Metrics, renderer: RenderPool): void {
  metrics.observe("render_queue_depth", () => renderer.stats().queued);
  metrics.observe("inflight_megapixels", () => renderer.stats().inflightMegapixels);
}
