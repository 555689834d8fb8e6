/**
 * Replays requests through the memory cache of the service and a model of the shared one, by a
 * virtual clock: the time is that of the trace.
 *
 * @module
 */
import type { ContentHash } from "../../src/core/content_hash.ts";
import { createMemoryCache } from "../../src/variants/memory_cache.ts";

/** One request of a trace; times ascend. */
export interface TraceRequest {
  readonly atMs: number;
  readonly asset: number;
  readonly variant: number;
  /** Size of that variant. */
  readonly bytes: number;
  /** The instance that gets it, from 0. */
  readonly instance: number;
}

/** The caches. */
export interface ReplayOptions {
  readonly instances: number;
  /** Bytes of the memory cache of each instance, its overhead per entry included. */
  readonly memoryBytes: number;
  readonly kvTtlMs: number;
  readonly kvMaxValueBytes: number;
  readonly kvChunkBytes: number;
}

/** What was counted. */
export interface ReplayCounts {
  requests: number;
  memoryHits: number;
  kvHits: number;
  renders: number;
  kvReads: number;
  kvWrites: number;
  s3Reads: number;
  egressBytes: number;
  /** Different variants that were rendered, and their bytes. */
  variants: number;
  variantBytes: number;
  /** The same, counting at most five of each asset. */
  variantsOfFive: number;
}

/** Counts of nothing. */
export function emptyReplayCounts(): ReplayCounts {
  return {
    requests: 0,
    memoryHits: 0,
    kvHits: 0,
    renders: 0,
    kvReads: 0,
    kvWrites: 0,
    s3Reads: 0,
    egressBytes: 0,
    variants: 0,
    variantBytes: 0,
    variantsOfFive: 0,
  };
}

/** Creates the caches; requests are given to the function one by one. */
export function createReplay(options: ReplayOptions): {
  readonly counts: ReplayCounts;
  request(request: TraceRequest): void;
} {
  const memories = Array.from(
    { length: options.instances },
    () => createMemoryCache<Entry>(options.memoryBytes),
  );
  const expiries = new Map<string, number>();
  const perAsset = new Map<number, Set<number>>();
  const counts = emptyReplayCounts();

  function render(name: string, { atMs, asset, variant, bytes }: TraceRequest): void {
    counts.renders++;
    counts.s3Reads++;
    if (bytes <= options.kvMaxValueBytes) {
      counts.kvWrites += 1 + Math.ceil(bytes / options.kvChunkBytes);
      expiries.set(name, atMs + options.kvTtlMs);
    }
    const known = perAsset.get(asset) ?? new Set();
    perAsset.set(asset, known);
    if (known.has(variant)) return;
    known.add(variant);
    counts.variants++;
    counts.variantBytes += bytes;
    if (known.size <= 5) counts.variantsOfFive++;
  }

  return {
    counts,
    request(request) {
      const { atMs, asset, variant, bytes, instance } = request;
      const key = { hash: asset.toString(16) as ContentHash, variant: String(variant) };
      counts.requests++;
      counts.egressBytes += bytes;
      if (memories[instance].get(key)) {
        counts.memoryHits++;
        return;
      }
      const name = `${key.hash}/${key.variant}`;
      const expiresAt = expiries.get(name);
      counts.kvReads++;
      if (expiresAt !== undefined && expiresAt > atMs) {
        counts.kvHits++;
        counts.kvReads += Math.ceil(bytes / options.kvChunkBytes);
      } else {
        render(name, request);
      }
      memories[instance].set(key, sized(bytes));
    },
  };
}

interface Entry {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The cache asks for the length only; filling gigabytes with zeros would teach nothing. */
function sized(bytes: number): Entry {
  return { bytes: { byteLength: bytes, buffer: { byteLength: bytes } } as never };
}

/**
 * Counts of the whole population from those of a sample (spatial sampling with the correction of
 * Waldspurger et al., "Efficient MRC Construction with SHARDS", FAST 2015, section 3.3): requests
 * that the sample should have had and has not were for the most popular assets, which are always in
 * memory; where it had too many, those were hits too many.
 *
 * @param every One in so many assets was sampled.
 * @param expected Requests that the sample would have had, were it perfect.
 */
export function scaleCounts(
  sample: ReplayCounts,
  { every, expected }: { readonly every: number; readonly expected: number },
): ReplayCounts {
  const missing = Math.max(-sample.memoryHits, expected - sample.requests);
  const meanBytes = sample.requests > 0 ? sample.egressBytes / sample.requests : 0;
  const adjusted = {
    ...sample,
    requests: sample.requests + missing,
    memoryHits: sample.memoryHits + missing,
    egressBytes: sample.egressBytes + missing * meanBytes,
  };
  return Object.fromEntries(
    Object.entries(adjusted).map(([name, value]) => [name, value * every]),
  ) as unknown as ReplayCounts;
}

/** The difference of two counts of the same replay. */
export function subtractCounts(later: ReplayCounts, earlier: ReplayCounts): ReplayCounts {
  const names = Object.keys(later) as (keyof ReplayCounts)[];
  return Object.fromEntries(
    names.map((name) => [name, later[name] - earlier[name]]),
  ) as unknown as ReplayCounts;
}

/** Share of requests that needed no render, 0 to 1. */
export function hitRatio(counts: ReplayCounts): number {
  return counts.requests === 0 ? 0 : (counts.memoryHits + counts.kvHits) / counts.requests;
}
