import { makeRoom } from "../../core/make_room.ts";
import type { HeldLease, RenderLease, VariantKey } from "../../variants/ports.ts";
import type { KvGuard } from "./kv_guard.ts";
import { leaseKey, purgeMarkerKey } from "./kv_keys.ts";

/** What leases in Deno KV need. */
export interface KvRenderLeaseOptions {
  readonly kv: Deno.Kv;
  readonly guard: KvGuard;
  readonly rendererVersion: string;
  /** Names this process among the instances, for those who look into the store. */
  readonly instanceId: string;
  /** Milliseconds from any fixed point. Only differences count: clocks need not agree. */
  readonly nowMs: () => number;
  /** A lease that was not renewed for this long is taken over. Default 6 s. */
  readonly ttlMs?: number;
  /** How often those who wait look. Default 50 ms. */
  readonly pollMs?: number;
}

/** A lease in KV, with what a writer has to check to be fenced. */
export interface KvHeldLease extends HeldLease {
  /**
   * Runs `commit` with the conditions that make it fail once the lease is lost or the asset was
   * purged. Renewals wait for it, so that they do not change what it checks. False when the lease
   * is known to be lost.
   */
  fenced(commit: (checks: readonly Deno.AtomicCheck[]) => Promise<boolean>): Promise<boolean>;
}

/** Most leases of others that are watched for signs of life. */
const MAX_OBSERVED = 10_000;

/** A lease that outlived its holder and everybody's interest is removed by the store. */
const FORGET_AFTER_MS = 60_000;

/**
 * Leases in Deno KV.
 *
 * No clock is compared with another: a holder shows that it is alive by writing its lease anew, and
 * whoever sees the same version of it for `ttlMs` by its own clock takes over. Takeover, renewal
 * and release are conditional on that version, so that one of two rivals wins. Waiting is done by
 * polling: `kv.watch` on a local file does not hear what other processes write.
 */
export function createKvRenderLease(options: KvRenderLeaseOptions): RenderLease {
  const { kv, guard, rendererVersion, nowMs, ttlMs = 6_000, pollMs = 50 } = options;
  const reader = createVersionReader(kv, guard);
  const observed = new Map<string, { readonly versionstamp: string; readonly sinceMs: number }>();

  /** Whether the lease has shown no sign of life for long enough, as far as we have looked. */
  function isDead(name: string, versionstamp: string): boolean {
    const last = observed.get(name);
    if (last?.versionstamp === versionstamp) return nowMs() - last.sinceMs >= ttlMs;
    makeRoom(observed, MAX_OBSERVED);
    observed.set(name, { versionstamp, sinceMs: nowMs() });
    return false;
  }

  async function tryAcquire(key: VariantKey): Promise<KvHeldLease | null> {
    const lease = leaseKey(key, rendererVersion);
    const marker = purgeMarkerKey(key.hash);
    const [current, purged] = await kv.getMany([lease, marker]);
    const name = lease.join("/");
    if (current.versionstamp !== null && !isDead(name, current.versionstamp)) return null;
    const value = { instance: options.instanceId };
    const taken = await kv.atomic()
      .check({ key: lease, versionstamp: current.versionstamp })
      .set(lease, value, { expireIn: FORGET_AFTER_MS })
      .commit();
    if (!taken.ok) return null;
    observed.delete(name);
    const purgeCheck = { key: marker, versionstamp: purged.versionstamp };
    return holdLease({ kv, guard, lease, value, purgeCheck, versionstamp: taken.versionstamp });
  }

  return {
    async acquire(key) {
      const lease = await guard.attempt("lease", () => tryAcquire(key));
      return lease === undefined ? UNPROTECTED : lease;
    },
    async waitForRelease(key, { timeoutMs, signal }) {
      const lease = leaseKey(key, rendererVersion);
      const endMs = nowMs() + timeoutMs;
      while (nowMs() < endMs) {
        await delay(Math.min(pollMs, Math.max(1, endMs - nowMs())), signal);
        const versionstamp = await reader.read(lease);
        if (versionstamp === undefined || versionstamp === null) return;
        if (isDead(lease.join("/"), versionstamp)) return;
      }
    },
  };
}

/** What is given while KV cannot be asked: everybody renders, and nobody writes to the cache. */
const UNPROTECTED: HeldLease = {
  token: 0n,
  renew: () => Promise.resolve(true),
  release: () => Promise.resolve(),
};

/** Whether a lease is one of ours, in KV, and can fence a write. */
export function isKvHeldLease(lease: HeldLease): lease is KvHeldLease {
  return "fenced" in lease;
}

function holdLease(
  held: {
    readonly kv: Deno.Kv;
    readonly guard: KvGuard;
    readonly lease: Deno.KvKey;
    readonly value: unknown;
    readonly purgeCheck: Deno.AtomicCheck;
    readonly versionstamp: string;
  },
): KvHeldLease {
  const { kv, guard, lease, value } = held;
  let versionstamp: string | null = held.versionstamp;
  let queue: Promise<unknown> = Promise.resolve();

  /** Runs after everything else that changes or checks the lease's version. */
  function inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const result = queue.then(work);
    queue = result.catch(() => {});
    return result;
  }

  return {
    token: BigInt(`0x${held.versionstamp}`),
    renew: () =>
      inTurn(async () => {
        if (versionstamp === null) return false;
        const check = { key: lease, versionstamp };
        const renewed = await guard.attempt(
          "lease",
          () => kv.atomic().check(check).set(lease, value, { expireIn: FORGET_AFTER_MS }).commit(),
        );
        if (renewed?.ok) versionstamp = renewed.versionstamp;
        else if (renewed) versionstamp = null;
        return versionstamp !== null;
      }),
    fenced: (commit) =>
      inTurn(() =>
        versionstamp === null
          ? Promise.resolve(false)
          : commit([{ key: lease, versionstamp }, held.purgeCheck])
      ),
    release: () =>
      inTurn(async () => {
        if (versionstamp === null) return;
        const check = { key: lease, versionstamp };
        versionstamp = null;
        await guard.attempt("lease", () => kv.atomic().check(check).delete(lease).commit());
      }),
  };
}

/** Keys that Deno KV reads at once. */
const MAX_KEYS_PER_READ = 10;

/**
 * Reads versions of keys, those asked for within a few milliseconds together: many wait at once,
 * and each for itself would keep the store busy.
 */
function createVersionReader(kv: Deno.Kv, guard: KvGuard) {
  type Answer = string | null | undefined;
  let batch: { key: Deno.KvKey; resolve: (versionstamp: Answer) => void }[] = [];

  async function readBatch(): Promise<void> {
    const asked = batch;
    batch = [];
    const entries = await guard.attempt(
      "lease",
      () => kv.getMany<unknown[]>(asked.map(({ key }) => key)),
    );
    asked.forEach(({ resolve }, index) => resolve(entries?.[index].versionstamp));
  }

  return {
    /** The key's version, null when there is no such key, undefined when it could not be read. */
    read(key: Deno.KvKey): Promise<Answer> {
      return new Promise((resolve) => {
        batch.push({ key, resolve });
        if (batch.length === 1) setTimeout(() => batch.length > 0 && readBatch(), BATCH_MS);
        if (batch.length === MAX_KEYS_PER_READ) readBatch();
      });
    },
  };
}

/** How long a read waits for others to join it. */
const BATCH_MS = 5;

function delay(durationMs: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, durationMs);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
