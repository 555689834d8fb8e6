/**
 * Who may start: at most so many renders and so many estimated bytes at once, first come first
 * served, with a queue that is bounded in entries and in bytes.
 *
 * @module
 */

import { AppError } from "../../errors.ts";

/** The bounds of an admission. */
export interface AdmissionLimits {
  /** Most renders at once. */
  readonly slots: number;
  /** Most estimated bytes at once. A single render over it still runs alone. */
  readonly budgetBytes: number;
  /** Most renders waiting. */
  readonly queueLimit: number;
  /** Most source bytes held by those waiting. */
  readonly queueBudgetBytes: number;
  /** Longest wait; after it the render is turned away. */
  readonly queueWaitMs: number;
  /** What a client that is turned away is told. A positive integer. */
  readonly retryAfterSeconds: number;
}

/** What a render asks for. */
export interface AdmissionRequest {
  readonly estimatedBytes: number;
  /** What it holds while it waits. */
  readonly sourceBytes: number;
  readonly signal: AbortSignal;
}

interface Waiter extends AdmissionRequest {
  readonly admit: () => void;
}

/** Admits renders one by one; see {@linkcode AdmissionLimits}. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #waiting = new Set<Waiter>();
  #running = 0;
  #runningBytes = 0;
  #waitingBytes = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get queued(): number {
    return this.#waiting.size;
  }

  get running(): number {
    return this.#running;
  }

  get runningBytes(): number {
    return this.#runningBytes;
  }

  /**
   * Waits for a place. Returns what gives it back; calling that twice does no harm.
   *
   * @throws {AppError} `render_queue_full` when the queue is full or the wait too long; the abort
   * reason when the signal aborts.
   */
  async enter(request: AdmissionRequest): Promise<() => void> {
    request.signal.throwIfAborted();
    if (this.#waiting.size === 0 && this.#fits(request)) {
      this.#count(request, 1);
      return this.#buildExit(request);
    }
    const { queueLimit, queueBudgetBytes } = this.#limits;
    if (
      this.#waiting.size >= queueLimit ||
      this.#waitingBytes + request.sourceBytes > queueBudgetBytes
    ) throw this.#turnedAway();
    await this.#wait(request);
    return this.#buildExit(request);
  }

  #wait(request: AdmissionRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiter);
        this.#waitingBytes -= request.sourceBytes;
        clearTimeout(timer);
        request.signal.removeEventListener("abort", giveUp);
      };
      const waiter: Waiter = {
        ...request,
        admit: () => {
          leave();
          // Counted here and not after the promise: the next in line is judged in the same turn.
          this.#count(request, 1);
          resolve();
        },
      };
      const giveUp = () => {
        leave();
        reject(request.signal.reason);
        this.#admitWaiting();
      };
      const timer = setTimeout(() => {
        leave();
        reject(this.#turnedAway());
        this.#admitWaiting();
      }, this.#limits.queueWaitMs);
      request.signal.addEventListener("abort", giveUp, { once: true });
      this.#waiting.add(waiter);
      this.#waitingBytes += request.sourceBytes;
    });
  }

  #fits({ estimatedBytes }: AdmissionRequest): boolean {
    if (this.#running >= this.#limits.slots) return false;
    return this.#running === 0 || this.#runningBytes + estimatedBytes <= this.#limits.budgetBytes;
  }

  #count({ estimatedBytes }: AdmissionRequest, sign: 1 | -1): void {
    this.#running += sign;
    this.#runningBytes += sign * estimatedBytes;
  }

  #buildExit(request: AdmissionRequest): () => void {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#count(request, -1);
      this.#admitWaiting();
    };
  }

  #admitWaiting(): void {
    for (const waiter of this.#waiting) {
      if (!this.#fits(waiter)) return;
      waiter.admit();
    }
  }

  #turnedAway(): AppError {
    const { retryAfterSeconds } = this.#limits;
    return new AppError("render_queue_full", "Too many images are being rendered", {
      retryAfterSeconds,
    });
  }
}
