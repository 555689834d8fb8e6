/**
 * The right to run a job, of which only one runs at a time over all instances.
 *
 * @module
 */

/** A lease that is held. */
export interface HeldJobLease {
  readonly name: string;
  /** Grows with every holder: a write that carries an old one is refused. */
  readonly token: number;
  /** Prolongs the lease; false when it was lost. */
  renew(): Promise<boolean>;
  /** Gives it up; harmless when it was lost. */
  release(): Promise<void>;
}

/** Leases by the clock of the database. */
export interface JobLeases {
  /** Takes the lease for `ttlMs`; null while somebody else has it. */
  acquire(
    name: string,
    options: { readonly holder: string; readonly ttlMs: number },
  ): Promise<HeldJobLease | null>;
}

/** What {@linkcode keepJobLease} is told. */
export interface KeepOptions {
  readonly ttlMs: number;
  /** Stops the work from outside. */
  readonly signal?: AbortSignal | undefined;
}

/** A lost lease. */
export class JobLeaseLostError extends Error {
  override readonly name = "JobLeaseLostError";
}

/**
 * Runs `work` while renewing its lease, and gives the lease up afterwards. When the lease is lost,
 * or cannot be renewed until it must have run out, the signal that `work` was given aborts.
 */
export async function keepJobLease<T>(
  lease: HeldJobLease,
  options: KeepOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const lost = new AbortController();
  let renewedAt = performance.now();
  const timer = setInterval(async () => {
    const askedAt = performance.now();
    const renewed = await lease.renew().catch(() => null);
    if (renewed) renewedAt = askedAt;
    const expired = performance.now() - renewedAt >= options.ttlMs;
    if (renewed === false || expired) {
      lost.abort(new JobLeaseLostError(`The lease of ${lease.name} was lost`));
    }
  }, options.ttlMs / 3);
  const signal = options.signal ? AbortSignal.any([lost.signal, options.signal]) : lost.signal;
  try {
    return await work(signal);
  } finally {
    clearInterval(timer);
    await lease.release().catch(() => {});
  }
}
