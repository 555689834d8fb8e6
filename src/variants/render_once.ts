import { AppError } from "../errors.ts";
import type { CachedVariant, HeldLease, RenderLease, VariantCache, VariantKey } from "./ports.ts";

/** How a variant was come by, once this process had nothing of it. */
export interface OnceResult<Rendered extends CachedVariant> {
  /** Rendered here, or found in the shared cache where another instance had put it. */
  readonly variant: Rendered | CachedVariant;
  readonly renderedHere: boolean;
}

/** What rendering once among all instances needs. */
export interface RenderOnceOptions<Rendered extends CachedVariant> {
  readonly key: VariantKey;
  /** The cache that instances share; null when there is none. */
  readonly cache: VariantCache | null;
  /** Chooses one instance; null when there is only one. */
  readonly leases: RenderLease | null;
  readonly render: (signal: AbortSignal) => Promise<Rendered>;
  /** Whether the asset was purged meanwhile, so that the result must not be kept. */
  readonly isPurged: () => boolean;
  readonly signal: AbortSignal;
  /** How long to wait for other instances before giving up. */
  readonly maxWaitMs: number;
  readonly nowMs: () => number;
}

/** How long one wait for the leader lasts before the lease and the cache are looked at again. */
const WAIT_SLICE_MS = 1_000;
/** How often a leader says that it is alive; leases must last several times as long. */
const RENEW_EVERY_MS = 1_000;

/**
 * Renders a variant unless another instance is at it, in which case its result is waited for.
 *
 * When the leader dies its lease ends and one of those who wait takes over. When the leader could
 * not share its result (too large for the cache, or no image at all), each instance renders once.
 *
 * @throws {AppError} `render_queue_full` after `maxWaitMs`; what `render` throws.
 */
export async function renderOnce<Rendered extends CachedVariant>(
  options: RenderOnceOptions<Rendered>,
): Promise<OnceResult<Rendered>> {
  const { key, cache, leases, signal, nowMs } = options;
  const deadlineMs = nowMs() + options.maxWaitMs;
  while (true) {
    signal.throwIfAborted();
    const lease = leases ? await leases.acquire(key) : null;
    if (lease || !leases) {
      try {
        // Another leader may have finished between our look into the cache and our lease.
        const found = leases ? await cache?.get(key) : null;
        if (found) return { variant: found, renderedHere: false };
        return { variant: await renderAsLeader(lease, options), renderedHere: true };
      } finally {
        await lease?.release();
      }
    }
    const leftMs = deadlineMs - nowMs();
    if (leftMs <= 0) {
      throw new AppError("render_queue_full", "Another instance is still rendering this variant", {
        retryAfterSeconds: 2,
      });
    }
    await leases.waitForRelease(key, { timeoutMs: Math.min(leftMs, WAIT_SLICE_MS), signal });
    const found = await cache?.get(key);
    if (found) return { variant: found, renderedHere: false };
  }
}

async function renderAsLeader<Rendered extends CachedVariant>(
  lease: HeldLease | null,
  options: RenderOnceOptions<Rendered>,
): Promise<Rendered> {
  const renewal = lease ? setInterval(() => lease.renew().catch(() => {}), RENEW_EVERY_MS) : null;
  try {
    const variant = await options.render(options.signal);
    // Written before the lease is released: those who wait look there next.
    if (!options.isPurged()) await options.cache?.put(options.key, variant, lease);
    return variant;
  } finally {
    if (renewal !== null) clearInterval(renewal);
  }
}
