import { createHash, timingSafeEqual } from "node:crypto";
import type {
  CachedVariant,
  DeliveryObserver,
  HeldLease,
  VariantCache,
  VariantKey,
} from "../../variants/ports.ts";
import type { KvGuard } from "./kv_guard.ts";
import { purgeMarkerKey, variantKey, variantPrefix } from "./kv_keys.ts";
import { isKvHeldLease } from "./kv_render_lease.ts";

/** Bytes of one value: Deno KV allows 64 KiB with everything that describes them. */
export const CHUNK_BYTES = 60 * 1024;
/** Deno KV reads at most ten keys at once, and a variant must be one read. */
export const MAX_CHUNKS = 10;
/** Largest variant that is shared: 600 KiB, below the 800 KiB of one atomic write. */
export const MAX_VALUE_BYTES = CHUNK_BYTES * MAX_CHUNKS;

/** How long a purge marker fences off renders that began before it; longer than any render. */
const MARKER_TTL_MS = 600_000;
/** Entries removed in one step of a purge; small, since listing brings their values along. */
const PURGE_BATCH = 20;

/** What the variant cache in Deno KV needs. */
export interface KvVariantCacheOptions {
  readonly kv: Deno.Kv;
  readonly guard: KvGuard;
  readonly rendererVersion: string;
  readonly observer?: DeliveryObserver | undefined;
  /** Variants above this are not shared; at most {@linkcode MAX_VALUE_BYTES}, the default. */
  readonly maxValueBytes?: number;
  /** How long an entry is kept. Default 30 days. */
  readonly ttlMs?: number;
}

/** The first chunk, which says what the whole is. */
interface FirstChunk {
  readonly sizeBytes: number;
  readonly sha256: Uint8Array;
  readonly mediaType: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: Uint8Array;
}

/**
 * A cache of variants in Deno KV.
 *
 * A variant is written in chunks by one atomic operation and read by one `getMany`. Length and
 * digest are verified all the same: a bad entry must cost a render, not show a torn picture for a
 * year.
 */
export function createKvVariantCache(options: KvVariantCacheOptions): VariantCache {
  const { kv, guard, rendererVersion, observer, ttlMs = 30 * 86_400_000 } = options;
  const maxValueBytes = Math.min(options.maxValueBytes ?? MAX_VALUE_BYTES, MAX_VALUE_BYTES);

  function chunkKeys(key: VariantKey): Deno.KvKey[] {
    const base = variantKey(key, rendererVersion);
    return Array.from({ length: MAX_CHUNKS }, (_, index) => [...base, index]);
  }

  async function drop(keys: readonly Deno.KvKey[], firstVersionstamp: string): Promise<void> {
    // Only while it is still the bad one: another instance may have replaced it already.
    const operation = kv.atomic().check({ key: keys[0], versionstamp: firstVersionstamp });
    for (const key of keys) operation.delete(key);
    await operation.commit();
  }

  function write(
    key: VariantKey,
    variant: CachedVariant,
    checks: readonly Deno.AtomicCheck[],
  ): Promise<boolean> {
    const operation = kv.atomic().check(...checks);
    const values = splitVariant(variant);
    for (const [index, chunkKey] of chunkKeys(key).entries()) {
      if (index < values.length) operation.set(chunkKey, values[index], { expireIn: ttlMs });
      else operation.delete(chunkKey);
    }
    return operation.commit().then(({ ok }) => ok);
  }

  return {
    async get(key, { patient = false } = {}) {
      const keys = chunkKeys(key);
      const entries = await guard.attempt("get", () => kv.getMany<unknown[]>(keys), { patient });
      const versionstamp = entries?.[0].versionstamp;
      if (!entries || !versionstamp) return null;
      const variant = joinVariant(entries.map(({ value }) => value));
      if (variant) return variant;
      observer?.cacheFailed("get", "corrupt");
      await guard.attempt("put", () => drop(keys, versionstamp));
      return null;
    },
    async put(key, variant, lease: HeldLease | null) {
      if (variant.bytes.byteLength > maxValueBytes) return false;
      const written = await guard.attempt("put", () => {
        if (!lease) return write(key, variant, []);
        // A lease that protects nothing could not keep a purged variant out either.
        if (!isKvHeldLease(lease)) return Promise.resolve(false);
        return lease.fenced((checks) => write(key, variant, checks));
      }, { patient: true });
      return written ?? false;
    },
    async list(hash) {
      const sizes = new Map<string, number>();
      await guard.attempt("get", async () => {
        const prefix = [...variantPrefix(hash), rendererVersion];
        for await (const { key, value } of kv.list({ prefix }, { batchSize: PURGE_BATCH })) {
          if (isFirstChunk(value)) sizes.set(String(key[4]), value.sizeBytes);
        }
      });
      return sizes;
    },
    async purge(hash) {
      // First the marker: a render under way can then no longer bring back what is removed here.
      await kv.set(purgeMarkerKey(hash), crypto.randomUUID(), { expireIn: MARKER_TTL_MS });
      const variants = new Set<string>();
      while (true) {
        const entries = kv.list({ prefix: variantPrefix(hash) }, { limit: PURGE_BATCH });
        const operation = kv.atomic();
        let found = 0;
        for await (const { key } of entries) {
          operation.delete(key);
          variants.add(key.slice(0, -1).join("/"));
          found++;
        }
        if (found === 0) return variants.size;
        await operation.commit();
      }
    },
  };
}

function splitVariant(variant: CachedVariant): unknown[] {
  const { bytes, mediaType, width, height } = variant;
  const sha256 = new Uint8Array(createHash("sha256").update(bytes).digest());
  const first: FirstChunk = {
    sizeBytes: bytes.byteLength,
    sha256,
    mediaType,
    width,
    height,
    bytes: bytes.slice(0, CHUNK_BYTES),
  };
  const values: unknown[] = [first];
  for (let start = CHUNK_BYTES; start < bytes.byteLength; start += CHUNK_BYTES) {
    values.push(bytes.slice(start, start + CHUNK_BYTES));
  }
  return values;
}

/** Puts chunks together again; null when they are not exactly what was split. */
function joinVariant(values: readonly unknown[]): CachedVariant | null {
  const first = values[0];
  if (!isFirstChunk(first)) return null;
  const { sizeBytes, sha256, mediaType, width, height } = first;
  if (sizeBytes > MAX_VALUE_BYTES) return null;
  const bytes = new Uint8Array(sizeBytes);
  let filledBytes = 0;
  for (const chunk of [first.bytes, ...values.slice(1)]) {
    if (chunk === null) break;
    if (!(chunk instanceof Uint8Array) || filledBytes + chunk.byteLength > sizeBytes) return null;
    bytes.set(chunk, filledBytes);
    filledBytes += chunk.byteLength;
  }
  const whole = filledBytes === sizeBytes &&
    timingSafeEqual(createHash("sha256").update(bytes).digest(), sha256);
  return whole ? { bytes, mediaType, width, height } : null;
}

function isFirstChunk(value: unknown): value is FirstChunk {
  if (typeof value !== "object" || value === null) return false;
  const { sizeBytes, sha256, mediaType, width, height, bytes } = value as Partial<FirstChunk>;
  return Number.isSafeInteger(sizeBytes) && sizeBytes! >= 0 && typeof mediaType === "string" &&
    typeof width === "number" && typeof height === "number" &&
    sha256 instanceof Uint8Array && sha256.byteLength === 32 && bytes instanceof Uint8Array;
}
