/**
 * Counts deliveries in memory and hands them on in batches: a request pays for a few additions and
 * never waits. What is not handed on yet is lost when the process is killed: at most one batch, and
 * the one before it while the database cannot be reached.
 *
 * @module
 */
import type { ContentHash } from "../core/content_hash.ts";
import type { AccessRecorder } from "./ports.ts";

/** Counts of one variant of one asset. */
export interface VariantCounts {
  requests: number;
  renders: number;
  /** Size of the variant; 0 when it was never sent. */
  variantBytes: number;
  egressBytes: number;
  computeMs: number;
}

/** Counts over all assets. */
export interface UsageTotals {
  variantRequests: number;
  memoryHits: number;
  kvHits: number;
  misses: number;
  notModified: number;
  originalRequests: number;
  renders: number;
  egressBytes: number;
  computeMs: number;
}

/** What was counted since the last batch. */
export interface UsageBatch {
  /** A batch that is handed on again has the same id. */
  readonly id: string;
  /** The UTC day that it is counted to, `YYYY-MM-DD`. */
  readonly day: string;
  readonly totals: UsageTotals;
  readonly variants: ReadonlyMap<ContentHash, ReadonlyMap<string, VariantCounts>>;
  /** Assets asked for, for the first time on this day and instance. */
  readonly accessed: ReadonlySet<ContentHash>;
}

/** Keeps batches. */
export interface UsageStore {
  /** Adds a batch, as a whole and once. */
  add(batch: UsageBatch): Promise<void>;
}

/** What {@linkcode createUsageRecorder} needs. */
export interface UsageRecorderOptions {
  readonly store: UsageStore;
  readonly newId: () => string;
  readonly now: () => Date;
  /** Longest time that counts wait. Milliseconds. @default {10_000} */
  readonly flushAfterMs?: number;
  /** Most assets in a batch; one that is fuller is handed on at once. @default {5_000} */
  readonly maxAssets?: number;
  readonly reportFailure: (error: unknown) => void;
}

/** Counts deliveries. */
export interface UsageRecorder extends AccessRecorder {
  /** Hands on what there is. Never throws: a batch that is refused waits for the next call. */
  flush(): Promise<void>;
  /** Hands on the rest and stops. */
  close(): Promise<void>;
}

/** Assets of a day that are remembered as written; the store checks too, so forgetting is safe. */
const MAX_REMEMBERED = 200_000;

/** Creates a recorder. */
export function createUsageRecorder(options: UsageRecorderOptions): UsageRecorder {
  const { store, newId, now, flushAfterMs = 10_000, maxAssets = 5_000 } = options;
  let batch = startBatch();
  let waiting: UsageBatch | null = null;
  let flushing: Promise<void> | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const accessedToday = { day: "", hashes: new Set<ContentHash>() };

  function startBatch() {
    return {
      id: newId(),
      day: now().toISOString().slice(0, 10),
      totals: emptyTotals(),
      variants: new Map<ContentHash, Map<string, VariantCounts>>(),
      accessed: new Set<ContentHash>(),
      events: 0,
    };
  }

  function noteAccess(hash: ContentHash): void {
    if (accessedToday.day !== batch.day || accessedToday.hashes.size >= MAX_REMEMBERED) {
      accessedToday.day = batch.day;
      accessedToday.hashes.clear();
    }
    if (accessedToday.hashes.has(hash)) return;
    accessedToday.hashes.add(hash);
    batch.accessed.add(hash);
  }

  function schedule(): void {
    if (timer !== undefined) return;
    const started = setTimeout(() => void flush(), flushAfterMs);
    Deno.unrefTimer(started);
    timer = started;
  }

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    flushing ??= handOn().finally(() => {
      flushing = null;
      if (waiting !== null || batch.events > 0) schedule();
    });
    return flushing;
  }

  async function handOn(): Promise<void> {
    while (waiting !== null || batch.events > 0) {
      if (waiting === null) {
        waiting = batch;
        batch = startBatch();
      }
      try {
        await store.add(waiting);
        waiting = null;
      } catch (error) {
        options.reportFailure(error);
        // While the store is away, memory stays bounded: what is counted meanwhile is dropped
        // beyond one full batch.
        if (batch.variants.size > maxAssets) batch = startBatch();
        return;
      }
    }
  }

  return {
    record(access) {
      const { hash, variant, bytes, renderMs } = access;
      batch.events++;
      addToTotals(batch.totals, access);
      noteAccess(hash);
      if (variant !== null) {
        let variants = batch.variants.get(hash);
        if (!variants) batch.variants.set(hash, variants = new Map());
        let counts = variants.get(variant);
        if (!counts) variants.set(variant, counts = emptyCounts());
        counts.requests++;
        counts.egressBytes += bytes;
        if (bytes > 0) counts.variantBytes = bytes;
        if (renderMs !== null) {
          counts.renders++;
          counts.computeMs += renderMs;
        }
      }
      if (batch.variants.size >= maxAssets && waiting === null) void flush();
      else schedule();
    },
    flush,
    async close() {
      // A flush that is under way may have begun before the last counts.
      await flushing;
      await flush();
      clearTimeout(timer);
    },
  };
}

function addToTotals(totals: UsageTotals, access: Parameters<AccessRecorder["record"]>[0]): void {
  const { variant, tier, bytes, renderMs } = access;
  totals.egressBytes += bytes;
  if (variant === null) totals.originalRequests++;
  else totals.variantRequests++;
  if (tier === "MEMORY") totals.memoryHits++;
  else if (tier === "KV") totals.kvHits++;
  else if (tier === "MISS") totals.misses++;
  else if (tier === "NOT_MODIFIED") totals.notModified++;
  if (renderMs !== null) {
    totals.renders++;
    totals.computeMs += renderMs;
  }
}

function emptyCounts(): VariantCounts {
  return { requests: 0, renders: 0, variantBytes: 0, egressBytes: 0, computeMs: 0 };
}

function emptyTotals(): UsageTotals {
  return {
    variantRequests: 0,
    memoryHits: 0,
    kvHits: 0,
    misses: 0,
    notModified: 0,
    originalRequests: 0,
    renders: 0,
    egressBytes: 0,
    computeMs: 0,
  };
}
