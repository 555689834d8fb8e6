import type { Budget, BudgetShare } from "../core/budget.ts";
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
  /**
   * Where renders wait for their turn in this process. A lease that is held while its render still
   * waits would keep other instances from it, and the store busy with renewals.
   */
  readonly line: Budget;
  /** Is handed the sharing of the result, which nobody's reply should wait for. Must not reject. */
  readonly runBeside: (work: Promise<void>) => void;
  readonly nowMs: () => number;
}

/** How long one wait for the leader lasts before the lease and the cache are looked at again. */
const WAIT_SLICE_MS = 1_000;
/** How often a leader says that it is alive; leases must last several times as long. */
const RENEW_EVERY_MS = 1_500;

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
    {
      using _turn = await waitForTurn(options, deadlineMs);
      const lease = leases ? await leases.acquire(key) : null;
      if (lease || !leases) return await renderAsLeader(lease, options);
    }
    const leftMs = deadlineMs - nowMs();
    if (leftMs <= 0) throw tooLong();
    await leases.waitForRelease(key, { timeoutMs: Math.min(leftMs, WAIT_SLICE_MS), signal });
    const found = await cache?.get(key, { patient: true });
    if (found) return { variant: found, renderedHere: false };
  }
}

/**
 * Longest wait for a turn. Under overload everybody in line waits this long, so it is also the time
 * after which all is well again once the overload ends; beyond it a client had better come back.
 */
const MAX_TURN_WAIT_MS = 6_000;

/** Stands in line, but not beyond the deadline. */
async function waitForTurn(
  { line, signal, nowMs }: Pick<RenderOnceOptions<CachedVariant>, "line" | "signal" | "nowMs">,
  deadlineMs: number,
): Promise<BudgetShare> {
  const tooLate = new AbortController();
  const timer = setTimeout(
    () => tooLate.abort(tooLong()),
    Math.min(MAX_TURN_WAIT_MS, Math.max(0, deadlineMs - nowMs())),
  );
  try {
    return await line.reserve(1, AbortSignal.any([signal, tooLate.signal]));
  } finally {
    clearTimeout(timer);
  }
}

/** The refusal of a line before renders that is full. */
export function renderQueueFull(): AppError {
  return new AppError("render_queue_full", "Too many variants are waiting to be rendered");
}

function tooLong(): AppError {
  return new AppError("render_queue_full", "This variant could not be rendered in time", {
    retryAfterSeconds: 2,
  });
}

async function renderAsLeader<Rendered extends CachedVariant>(
  lease: HeldLease | null,
  options: RenderOnceOptions<Rendered>,
): Promise<OnceResult<Rendered>> {
  const { key, cache, signal, isPurged, runBeside } = options;
  const renewal = lease ? setInterval(() => lease.renew().catch(() => {}), RENEW_EVERY_MS) : null;
  async function end(): Promise<void> {
    if (renewal !== null) clearInterval(renewal);
    await lease?.release();
  }
  try {
    // Another leader may have finished between our look into the cache and our lease.
    const found = lease ? await cache?.get(key, { patient: true }) : null;
    if (found) {
      runBeside(end());
      return { variant: found, renderedHere: false };
    }
    const variant = await options.render(signal);
    // Written before the lease is released: those who wait look there next.
    const share = async () => {
      if (!isPurged()) await cache?.put(key, variant, lease);
    };
    runBeside(share().finally(end));
    return { variant, renderedHere: true };
  } catch (error) {
    await end();
    throw error;
  }
}
