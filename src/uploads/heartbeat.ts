import { AppError } from "../errors.ts";

/** Keeps a lease alive while work goes on. */
export interface Heartbeat extends Disposable {
  /**
   * Aborts when the lease is lost: taken by another, or not renewed for as long as it lasts. Work
   * that others may now be doing must stop by then.
   */
  readonly signal: AbortSignal;
  /** Whether another has taken the lease (rather than that nobody could be asked). */
  readonly lost: boolean;
}

/**
 * Renews a lease every third of its length until disposed.
 *
 * @param renew Resolves to false when the lease belongs to another. A rejection is tried again with
 * the next beat.
 * @param options `leaseMs` is the length of the lease, which was taken just before the call;
 * `lossDetail` is what the caller is told when another has taken it.
 */
export function startHeartbeat(
  renew: () => Promise<boolean>,
  options: { readonly leaseMs: number; readonly lossDetail: string },
): Heartbeat {
  const { leaseMs, lossDetail } = options;
  const stop = new AbortController();
  let lost = false;
  let renewing = false;
  let lastError: unknown;
  // By this process' monotonic clock and from before the question was asked: never later than the
  // database's own idea of the end.
  let validUntil = performance.now() + leaseMs;

  function giveUp(): void {
    clearInterval(timer);
    stop.abort(
      lost
        ? new AppError("state_conflict", lossDetail)
        : new AppError("catalog_unavailable", "The upload's lease could not be renewed in time", {
          cause: lastError,
        }),
    );
  }

  async function beat(): Promise<void> {
    if (performance.now() >= validUntil) return giveUp();
    if (renewing) return;
    renewing = true;
    const askedAt = performance.now();
    try {
      if (await renew()) validUntil = askedAt + leaseMs;
      else {
        lost = true;
        giveUp();
      }
    } catch (error) {
      lastError = error;
    } finally {
      renewing = false;
    }
  }

  const timer = setInterval(beat, leaseMs / 3);
  return {
    signal: stop.signal,
    get lost() {
      return lost;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
