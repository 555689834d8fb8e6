/** Bounds of a {@linkcode Budget}. */
export interface BudgetOptions {
  /** What all holders together may have: bytes, places, or whatever is counted. */
  readonly capacity: number;
  /** Callers that may wait; one more is refused at once. */
  readonly maxWaiting: number;
  /** Longest wait in milliseconds. @default {Infinity} the signal alone ends it */
  readonly maxWaitMs?: number;
  /** Makes the error of a caller for whom the line is too long, or the wait. */
  readonly refuse: () => Error;
  /** Makes the error of a caller whose signal aborts. @default the signal's reason */
  readonly toAbortError?: (reason: unknown) => unknown;
}

/** A share of a {@linkcode Budget}. Disposing it, once or more often, gives it back. */
export interface BudgetShare extends Disposable {
  readonly amount: number;
  /** Takes more if it is free now and nobody waits; never waits, so that holders cannot deadlock. */
  tryGrow(amount: number): boolean;
  /** Gives back all but `amount`. */
  shrinkTo(amount: number): void;
}

interface Waiter {
  readonly amount: number;
  grant(): void;
}

/**
 * Bounds how much is held at once; what does not fit waits in line, first come first served, and
 * the line is bounded too. Counting what is held, such as bytes, instead of its holders lets a
 * thousand small ones in, or a dozen large ones.
 */
export class Budget {
  readonly #options: BudgetOptions;
  readonly #waiting: Waiter[] = [];
  #held = 0;

  constructor(options: BudgetOptions) {
    this.#options = options;
  }

  /** What is in use. */
  get held(): number {
    return this.#held;
  }

  /** Callers in line. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Waits for `amount` (at most the whole budget is asked for, so that a large caller is let in
   * alone instead of waiting for ever).
   *
   * @throws What `refuse` makes, when the line or the wait is over its bound; what `toAbortError`
   * makes when the signal aborts.
   */
  async reserve(amount: number, signal: AbortSignal): Promise<BudgetShare> {
    if (signal.aborted) throw this.#toAbortError(signal.reason);
    const wanted = Math.min(amount, this.#options.capacity);
    if (this.#waiting.length === 0 && this.#fits(wanted)) this.#held += wanted;
    else await this.#wait(wanted, signal);
    return this.#createShare(wanted);
  }

  #toAbortError(reason: unknown): unknown {
    return this.#options.toAbortError?.(reason) ?? reason;
  }

  #fits(amount: number): boolean {
    return this.#held + amount <= this.#options.capacity;
  }

  #wait(amount: number, signal: AbortSignal): Promise<void> {
    const { maxWaiting, maxWaitMs = Infinity, refuse } = this.#options;
    if (this.#waiting.length >= maxWaiting) throw refuse();
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const stopWaiting = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
      };
      const leave = (reason: unknown) => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        stopWaiting();
        // Whoever stood behind a large caller may fit.
        this.#grantWaiting();
        reject(reason);
      };
      const onAbort = () => leave(this.#toAbortError(signal.reason));
      const waiter: Waiter = {
        amount,
        grant: () => {
          stopWaiting();
          resolve();
        },
      };
      if (maxWaitMs !== Infinity) timer = setTimeout(() => leave(refuse()), maxWaitMs);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(waiter);
    });
  }

  #grantWaiting(): void {
    while (this.#waiting.length > 0 && this.#fits(this.#waiting[0].amount)) {
      const waiter = this.#waiting.shift()!;
      this.#held += waiter.amount;
      waiter.grant();
    }
  }

  #release(amount: number): void {
    this.#held -= amount;
    this.#grantWaiting();
  }

  #createShare(granted: number): BudgetShare {
    let held = granted;
    const shrinkTo = (amount: number) => {
      const excess = held - Math.max(0, amount);
      if (excess <= 0) return;
      held -= excess;
      this.#release(excess);
    };
    return {
      get amount() {
        return held;
      },
      tryGrow: (amount) => {
        if (this.#waiting.length > 0 || !this.#fits(amount)) return false;
        this.#held += amount;
        held += amount;
        return true;
      },
      shrinkTo,
      [Symbol.dispose]: () => shrinkTo(0),
    };
  }
}
