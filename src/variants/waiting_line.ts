import { AppError } from "../errors.ts";

/** Bounds how much is held at once; what does not fit waits in line, and the line is bounded too. */
export interface WaitingLine {
  /**
   * Waits until `amount` fits, first come first served. More than the whole is let in alone.
   *
   * @returns A function that gives the amount back; calling it again does nothing.
   * @throws {AppError} `render_queue_full` when the line is full; the abort reason of `signal`.
   */
  take(amount: number, signal: AbortSignal): Promise<() => void>;
}

interface Waiter {
  readonly amount: number;
  readonly enter: () => void;
}

/** Creates a line before something of which there is `capacity`; at most `maxWaiting` stand in it. */
export function createWaitingLine(
  options: { readonly capacity: number; readonly maxWaiting: number },
): WaitingLine {
  const { capacity, maxWaiting } = options;
  const line: Waiter[] = [];
  let used = 0;

  function fits(amount: number): boolean {
    return used === 0 || used + amount <= capacity;
  }

  function occupy(amount: number): () => void {
    used += amount;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      used -= amount;
      while (line.length > 0 && fits(line[0].amount)) line.shift()!.enter();
    };
  }

  return {
    async take(amount, signal) {
      signal.throwIfAborted();
      if (line.length === 0 && fits(amount)) return occupy(amount);
      if (line.length >= maxWaiting) {
        throw new AppError("render_queue_full", "Too many variants are waiting to be rendered");
      }
      const { promise, resolve, reject } = Promise.withResolvers<() => void>();
      const waiter: Waiter = { amount, enter: () => resolve(occupy(amount)) };
      const onAbort = () => {
        const index = line.indexOf(waiter);
        if (index >= 0) line.splice(index, 1);
        reject(signal.reason);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      line.push(waiter);
      try {
        return await promise;
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
    },
  };
}
