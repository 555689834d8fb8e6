import type { DeliveryObserver } from "../../variants/ports.ts";

/** What a guard needs. */
export interface KvGuardOptions {
  readonly observer?: DeliveryObserver | undefined;
  /** Milliseconds from any fixed point. */
  readonly nowMs: () => number;
  /** Longest wait for what somebody waits for who could do without. Default 500 ms. */
  readonly timeoutMs?: number;
  /** Longest wait for what saves a whole render, or what nobody waits for. Default 2 s. */
  readonly patientTimeoutMs?: number;
  /** Failures in a row after which KV is left alone. Default 5. */
  readonly failureThreshold?: number;
  /** How long it is left alone. Default 5 s. */
  readonly pauseMs?: number;
}

/** Pause after the first failed try, on average; it grows with every further one. */
const RETRY_BASE_MS = 4;
/** Longest pause between tries, on average. */
const RETRY_MAX_MS = 40;

/** The part of an observer's vocabulary that names operations. */
export type KvOperation = Parameters<DeliveryObserver["cacheFailed"]>[0];

/** Keeps a KV store that is slow or down from slowing anybody else down. */
export interface KvGuard {
  /**
   * Runs one operation; undefined when it failed, took too long, or was not tried because others
   * failed just before. Never throws. A failure is retried within the time: a KV file that
   * processes share refuses writers that come together. What takes too long goes on unheard.
   */
  attempt<Value>(
    operation: KvOperation,
    work: () => Promise<Value>,
    options?: { readonly patient?: boolean },
  ): Promise<Value | undefined>;
  /** Whether KV is left alone at the moment. */
  readonly isOpen: boolean;
}

/** Creates a guard: one for all uses of one KV store, so that each learns from the others. */
export function createKvGuard(options: KvGuardOptions): KvGuard {
  const { observer, nowMs, timeoutMs = 500, patientTimeoutMs = 2_000 } = options;
  const { failureThreshold = 5, pauseMs = 5_000 } = options;
  let failuresInRow = 0;
  let pausedUntilMs = -Infinity;

  function fail(operation: KvOperation, cause: "error" | "timeout"): undefined {
    observer?.cacheFailed(operation, cause);
    // After the pause a single failure opens the circuit again: the count is not reset.
    if (++failuresInRow >= failureThreshold) pausedUntilMs = nowMs() + pauseMs;
  }

  async function retry<Value>(work: () => Promise<Value>, deadlineMs: number): Promise<Value> {
    for (let attempt = 1;; attempt++) {
      try {
        return await work();
      } catch (error) {
        // Random, so that those who met do not meet again.
        const pauseMs = Math.min(RETRY_MAX_MS, RETRY_BASE_MS * attempt) * (0.5 + Math.random());
        const isClosed = error instanceof Deno.errors.BadResource;
        if (isClosed || nowMs() + pauseMs >= deadlineMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  return {
    async attempt(operation, work, { patient = operation === "lease" } = {}) {
      if (nowMs() < pausedUntilMs) {
        observer?.cacheFailed(operation, "circuit_open");
        return undefined;
      }
      const late = Symbol();
      const { promise: timeout, resolve } = Promise.withResolvers<typeof late>();
      const limitMs = patient ? patientTimeoutMs : timeoutMs;
      const timer = setTimeout(() => resolve(late), limitMs);
      try {
        const running = retry(work, nowMs() + limitMs);
        running.catch(() => {});
        const value = await Promise.race([running, timeout]);
        if (value === late) return fail(operation, "timeout");
        failuresInRow = 0;
        return value as Awaited<ReturnType<typeof work>>;
      } catch {
        return fail(operation, "error");
      } finally {
        clearTimeout(timer);
      }
    },
    get isOpen() {
      return nowMs() < pausedUntilMs;
    },
  };
}
