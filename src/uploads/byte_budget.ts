import { AppError } from "../errors.ts";
import { toAbortError } from "./body_reader.ts";

/** Bounds of a {@linkcode ByteBudget}. */
export interface ByteBudgetOptions {
  /** Bytes that all holders together may have. */
  readonly maxBytes: number;
  /** Callers that may wait; one more is refused at once. */
  readonly maxWaiting: number;
  /** Longest wait in milliseconds. */
  readonly maxWaitMs: number;
}

/** A share of a {@linkcode ByteBudget}. */
export interface ByteReservation extends Disposable {
  readonly bytes: number;
  /** Takes more if it is free now and nobody waits; never waits, so that holders cannot deadlock. */
  tryGrow(bytes: number): boolean;
  /** Gives back all but `bytes`. */
  shrinkTo(bytes: number): void;
}

interface Waiter {
  readonly bytes: number;
  grant(): void;
}

/**
 * Bounds the memory of uploads under way by the bytes they may hold, not by their number: a
 * thousand thumbnails or a dozen films. First come, first served.
 */
export class ByteBudget {
  readonly #options: ByteBudgetOptions;
  readonly #waiting: Waiter[] = [];
  #heldBytes = 0;

  constructor(options: ByteBudgetOptions) {
    this.#options = options;
  }

  /** Bytes in use, for telemetry. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Callers in the queue, for telemetry. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Waits for `bytes` (at most the whole budget is asked for, so that a large part cannot wait for
   * ever).
   *
   * @throws {AppError} `upload_queue_full` when the queue or the wait is over its bound;
   * `client_closed_request` when the signal aborts.
   */
  async reserve(bytes: number, signal: AbortSignal): Promise<ByteReservation> {
    if (signal.aborted) throw toAbortError(signal.reason);
    const wanted = Math.min(bytes, this.#options.maxBytes);
    if (this.#waiting.length === 0 && this.#fits(wanted)) this.#heldBytes += wanted;
    else await this.#wait(wanted, signal);
    return this.#createReservation(wanted);
  }

  #fits(bytes: number): boolean {
    return this.#heldBytes + bytes <= this.#options.maxBytes;
  }

  #wait(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#waiting.length >= this.#options.maxWaiting) throw queueFull();
    return new Promise((resolve, reject) => {
      const leave = (reason: unknown) => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        stopWaiting();
        // Whoever stood behind a large request may fit.
        this.#grantWaiting();
        reject(reason);
      };
      const onAbort = () => leave(toAbortError(signal.reason));
      const timer = setTimeout(() => leave(queueFull()), this.#options.maxWaitMs);
      const stopWaiting = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
      };
      const waiter: Waiter = {
        bytes,
        grant: () => {
          stopWaiting();
          resolve();
        },
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(waiter);
    });
  }

  #grantWaiting(): void {
    while (this.#waiting.length > 0 && this.#fits(this.#waiting[0].bytes)) {
      const waiter = this.#waiting.shift()!;
      this.#heldBytes += waiter.bytes;
      waiter.grant();
    }
  }

  #release(bytes: number): void {
    this.#heldBytes -= bytes;
    this.#grantWaiting();
  }

  #createReservation(granted: number): ByteReservation {
    let held = granted;
    const shrinkTo = (bytes: number) => {
      const excess = held - Math.max(0, bytes);
      if (excess <= 0) return;
      held -= excess;
      this.#release(excess);
    };
    return {
      get bytes() {
        return held;
      },
      tryGrow: (bytes) => {
        if (this.#waiting.length > 0 || !this.#fits(bytes)) return false;
        this.#heldBytes += bytes;
        held += bytes;
        return true;
      },
      shrinkTo,
      [Symbol.dispose]: () => shrinkTo(0),
    };
  }
}

function queueFull(): AppError {
  return new AppError("upload_queue_full", "Too many uploads are under way; try again shortly", {
    retryAfterSeconds: 2,
  });
}
