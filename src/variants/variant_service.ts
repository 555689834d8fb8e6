import { Budget } from "../core/budget.ts";
import type { ContentHash } from "../core/content_hash.ts";
import type { VariantSpec } from "../core/variant_spec.ts";
import { type AppError, hasCode } from "../errors.ts";
import type { AssetDirectory } from "./asset_directory.ts";
import { describeAccess } from "./describe_access.ts";
import { createFailureMemory } from "./failure_memory.ts";
import { createMemoryCache } from "./memory_cache.ts";
import type {
  AccessRecorder,
  AssetRecord,
  CachedVariant,
  RenderLease,
  VariantCache,
  VariantKey,
} from "./ports.ts";
import { renderOnce, renderQueueFull } from "./render_once.ts";
import { checkVisible, findRefusal } from "./servable.ts";
import { createSingleFlight } from "./single_flight.ts";
import {
  checkRenderable,
  createSourceRenderer,
  type SourceRendererOptions,
} from "./source_renderer.ts";
import type { VariantDelivery, VariantEntry, VariantRequest } from "./variant_request.ts";
import {
  buildVariantEtag,
  buildVariantKey,
  buildVariantNames,
  type KeyFacts,
  PLAIN_FACTS,
  type VariantNames,
} from "./variant_key.ts";

/** What the variant service is made of. */
export interface VariantServiceOptions extends SourceRendererOptions {
  readonly directory: AssetDirectory;
  /** Part of every key and entity tag. Letters, digits, `.`, `_` and `-` only. */
  readonly rendererVersion: string;
  /** The cache that instances share; null when there is none. */
  readonly cache: VariantCache | null;
  readonly leases: RenderLease | null;
  readonly access?: AccessRecorder;
  /** Bytes of variants held in memory. Default 64 MiB. */
  readonly memoryCacheBytes?: number;
  /** Renders under way at once; more than there are workers, since sources are read. Default 4. */
  readonly maxRenders?: number;
  /** How long to wait for another instance that renders the same variant. Default 20 s. */
  readonly maxLeaderWaitMs?: number;
}

/** Delivers variants. */
export interface VariantService {
  /**
   * Finds or renders a variant: memory, shared cache, render.
   *
   * @throws {AppError} see `servable.ts`, {@linkcode ImageRenderer} and {@linkcode OriginalReader};
   * `rate_limited`, `render_queue_full`.
   */
  deliver(request: VariantRequest): Promise<VariantDelivery>;
  /**
   * Delivers what needs no waiting: 304, and what is in memory. Null when there is more to do, and
   * an error when it is known that the asset may not be served, see `servable.ts`.
   */
  deliverAtOnce(request: VariantRequest): VariantDelivery | AppError | null;
  /** Names a variant, for requests for it to carry. */
  nameVariant(hash: ContentHash, spec: VariantSpec): VariantNames;
  /** Forgets what is believed of an asset; to be called when it was uploaded or changed here. */
  forget(hash: ContentHash): void;
  /**
   * Forgets an asset and all its variants in this process, or all assets (null); returns how many
   * variants there were.
   */
  purgeLocal(hash: ContentHash | null): number;
  /** Size of a variant that is in this process's memory; null when it is not. */
  peekBytes(key: VariantKey): number | null;
  /** Resolves when what was rendered so far has been shared with the other instances. */
  settled(): Promise<void>;
}

interface Found {
  readonly entry: VariantEntry;
  readonly tier: "KV" | "MISS";
  readonly stages: Readonly<Record<string, number>>;
}

const NO_STAGES: Readonly<Record<string, number>> = {};

/** Creates the variant service. */
export function createVariantService(options: VariantServiceOptions): VariantService {
  const { directory, rendererVersion, cache, nowMs, observer, access } = options;
  const memory = createMemoryCache<VariantEntry>(options.memoryCacheBytes ?? 64 * 2 ** 20);
  const lookups = createSingleFlight<VariantEntry | null>();
  const renders = createSingleFlight<Found>();
  const failures = createFailureMemory({ nowMs });
  const underWay = new Set<{ readonly hash: ContentHash; purged: boolean }>();
  const renderSource = createSourceRenderer(options);
  const { maxRenders: capacity = 4, maxWaitingRenders: maxWaiting = 256 } = options;
  const line = new Budget({ capacity, maxWaiting, refuse: renderQueueFull });
  const beside = new Set<Promise<void>>();

  function runBeside(work: Promise<void>): void {
    const settled = work.catch(() => {}).finally(() => beside.delete(settled));
    beside.add(settled);
  }

  directory.onChange((hash) => void memory.deleteAll(hash));

  /** Runs `work` with a flag that tells whether the asset was purged meanwhile. */
  async function watchPurges<Value>(
    hash: ContentHash,
    work: (isPurged: () => boolean) => Promise<Value>,
  ): Promise<Value> {
    const job = { hash, purged: false };
    underWay.add(job);
    try {
      return await work(() => job.purged);
    } finally {
      underWay.delete(job);
    }
  }

  function toEntry(key: VariantKey, variant: CachedVariant): VariantEntry {
    const { mediaType, width, height } = variant;
    // A view into a larger buffer would keep all of it alive.
    const bytes = variant.bytes.byteLength === variant.bytes.buffer.byteLength
      ? variant.bytes
      : variant.bytes.slice();
    return { bytes, mediaType, width, height, etag: buildVariantEtag(key, rendererVersion) };
  }

  function lookUp(key: VariantKey): Promise<VariantEntry | null> {
    if (!cache) return Promise.resolve(null);
    return watchPurges(key.hash, async (isPurged) => {
      const found = await cache.get(key);
      if (!found) return null;
      const entry = toEntry(key, found);
      if (!isPurged()) memory.set(key, entry);
      return entry;
    });
  }

  function render(
    key: VariantKey,
    request: { readonly record: AssetRecord; readonly spec: VariantSpec },
    signal: AbortSignal,
  ): Promise<Found> {
    const { record, spec } = request;
    const startedMs = nowMs();
    return watchPurges(key.hash, async (isPurged) => {
      try {
        const result = await renderOnce({
          key,
          cache,
          leases: options.leases,
          render: (signal) => renderSource(record, spec, signal),
          isPurged,
          signal,
          maxWaitMs: options.maxLeaderWaitMs ?? 20_000,
          line,
          runBeside,
          nowMs,
        });
        const entry = toEntry(key, result.variant);
        if (!isPurged()) memory.set(key, entry);
        const { variant } = result;
        return "stages" in variant
          ? { entry, tier: "MISS", stages: variant.stages }
          : { entry, tier: "KV", stages: { wait: nowMs() - startedMs } };
      } catch (error) {
        failures.remember(key, error);
        if (hasCode(error, "asset_missing") || hasCode(error, "asset_archived")) {
          directory.forget(key.hash);
        }
        throw error;
      }
    });
  }

  async function findRecord(request: VariantRequest): Promise<AssetRecord> {
    return checkVisible(await directory.find(request.hash), request);
  }

  async function deliverSlowly(
    request: VariantRequest,
    record: AssetRecord,
    startedMs: number,
  ): Promise<VariantDelivery> {
    const { hash, spec } = request;
    const key = buildVariantKey(hash, spec, record);
    const name = `${hash}/${key.variant}`;
    const isPrivate = record.visibility === "private";
    const recordMs = nowMs();
    // Short enough to be waited for by clients that have gone: their signals are dearer.
    const { value: found } = await lookups.run(name, () => lookUp(key), undefined);
    const kvMs = nowMs();
    const timed = { lookup: recordMs - startedMs, kv: kvMs - recordMs };
    if (found) {
      observer?.cacheLookedUp("KV");
      return { kind: "variant", entry: found, isPrivate, tier: "KV", lock: "none", stages: timed };
    }
    observer?.cacheLookedUp(null);
    checkRenderable(record, options.maxSourceBytes);
    failures.check(key);
    if (!renders.has(name)) request.admit?.();
    const work = (signal: AbortSignal) => render(key, { record, spec }, signal);
    const { value: { entry, tier, stages }, leader } = await renders.run(
      name,
      work,
      request.signal?.(),
    );
    const lock = leader && tier === "MISS" ? "leader" : "waited";
    const spent = leader ? stages : { wait: nowMs() - kvMs };
    return { kind: "variant", entry, isPrivate, tier, lock, stages: { ...timed, ...spent } };
  }

  function namesOf(request: VariantRequest, facts: KeyFacts): VariantNames {
    const isPlain = facts.focus === null && facts.visibility === "public";
    if (isPlain && request.names) return request.names;
    return buildVariantNames(request, { facts, rendererVersion });
  }

  /** What needs no waiting. Null when there is more to do. */
  function findAtOnce(
    request: VariantRequest,
    record: AssetRecord | null | undefined,
  ): VariantDelivery | null {
    // Before the precondition: a 304 would tell that a private or a deleted asset is there.
    if (record !== undefined) checkVisible(record, request);
    const facts = record ?? PLAIN_FACTS;
    const { key, etag } = namesOf(request, facts);
    const isPrivate = facts.visibility === "private";
    if (request.isCurrent(etag, Boolean(record))) return { kind: "not_modified", etag, isPrivate };
    // What the catalog was not asked about for long may have been deleted behind our back.
    if (!record) return null;
    const entry = memory.get(key);
    if (!entry) return null;
    observer?.cacheLookedUp("MEMORY");
    return { kind: "variant", entry, isPrivate, tier: "MEMORY", lock: "none", stages: NO_STAGES };
  }

  /** Without the catalog, what the caches hold under the key of a public asset stands. */
  async function findWithoutCatalog(request: VariantRequest): Promise<VariantDelivery | null> {
    const key = buildVariantKey(request.hash, request.spec);
    const held = memory.get(key);
    const entry = held ?? await lookUp(key);
    if (!entry) return null;
    const tier = held ? "MEMORY" : "KV";
    observer?.cacheLookedUp(tier);
    return { kind: "variant", entry, isPrivate: false, tier, lock: "none", stages: NO_STAGES };
  }

  async function deliver(request: VariantRequest): Promise<VariantDelivery> {
    const remembered = directory.peek(request.hash);
    const atOnce = findAtOnce(request, remembered);
    if (atOnce) return atOnce;
    const startedMs = nowMs();
    let record: AssetRecord;
    try {
      record = await findRecord(request);
    } catch (error) {
      if (!hasCode(error, "catalog_unavailable")) throw error;
      const found = await findWithoutCatalog(request);
      if (!found) throw error;
      return found;
    }
    return (remembered === undefined ? findAtOnce(request, record) : null) ??
      await deliverSlowly(request, record, startedMs);
  }

  return {
    async deliver(request) {
      const delivery = await deliver(request);
      access?.record(describeAccess(request, delivery));
      return delivery;
    },
    deliverAtOnce(request) {
      const remembered = directory.peek(request.hash);
      const refusal = remembered === undefined ? null : findRefusal(remembered, request);
      if (refusal) return refusal;
      const delivery = findAtOnce(request, remembered);
      if (delivery) access?.record(describeAccess(request, delivery));
      return delivery;
    },
    nameVariant: (hash, spec) =>
      buildVariantNames({ hash, spec }, { facts: PLAIN_FACTS, rendererVersion }),
    forget: (hash) => directory.forget(hash),
    purgeLocal(hash) {
      for (const job of underWay) if (hash === null || job.hash === hash) job.purged = true;
      directory.forget(hash);
      failures.forget(hash);
      return memory.deleteAll(hash);
    },
    settled: async () => void await Promise.all(beside),
    peekBytes: (key) => memory.peek(key)?.bytes.byteLength ?? null,
  };
}
