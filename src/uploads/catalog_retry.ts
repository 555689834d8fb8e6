import { hasCode } from "../errors.ts";

/** Waits between tries, in milliseconds: long enough together for a database to restart. */
const PAUSES_MS = [100, 400, 1_500];

/**
 * A database that restarts refuses at once. One that has kept us waiting this long is stuck, and
 * further tries would only add up. Milliseconds.
 */
const MAX_RETRY_MS = 4_000;

/**
 * Runs a step in the catalog, again when the catalog is away for a moment: the bytes have been
 * received, and one restart of the database should not cost the client another upload of them. The
 * step must be safe to repeat after a lost answer.
 *
 * @throws {AppError} `catalog_unavailable` when it stays away, and whatever else the step throws.
 */
export async function retryCatalog<T>(step: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const startedMs = performance.now();
  for (const pauseMs of PAUSES_MS) {
    try {
      return await step();
    } catch (error) {
      if (!hasCode(error, "catalog_unavailable") || signal?.aborted) throw error;
      if (performance.now() - startedMs > MAX_RETRY_MS) throw error;
      await pause(pauseMs * (0.75 + Math.random() / 2), signal);
    }
  }
  return await step();
}

/** Waits, or less when the signal aborts; never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
}
