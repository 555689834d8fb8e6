import { AppError } from "../errors.ts";

/** Bounds the bytes held at once; what does not fit waits in line, and the line is bounded too. */
export interface ByteBudget {
  /**
   * Waits until `bytes` fit, first come first served. More than the whole budget is let in alone.
   *
   * @returns A function that gives the bytes back; calling it again does nothing.
   * @throws {AppError} `render_queue_full` when the line is full; the abort reason of `signal`.
   */
  take(bytes: number, signal: AbortSignal): Promise<() => void>;
}

interface Waiter {
  readonly bytes: number;
  readonly enter: () => void;
}

/** Creates a budget of `capacityBytes`, for which at most `maxWaiting` callers stand in line. */
export function createByteBudget(
  options: { readonly capacityBytes: number; readonly maxWaiting: number },
): ByteBudget {
  const { capacityBytes, maxWaiting } = options;
  const line: Waiter[] = [];
  let usedBytes = 0;

  function fits(bytes: number): boolean {
    return usedBytes === 0 || usedBytes + bytes <= capacityBytes;
  }

  function occupy(bytes: number): () => void {
    usedBytes += bytes;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      usedBytes -= bytes;
      while (line.length > 0 && fits(line[0].bytes)) line.shift()!.enter();
    };
  }

  return {
    async take(bytes, signal) {
      signal.throwIfAborted();
      if (line.length === 0 && fits(bytes)) return occupy(bytes);
      if (line.length >= maxWaiting) {
        throw new AppError("render_queue_full", "Too many variants are waiting to be rendered");
      }
      const { promise, resolve, reject } = Promise.withResolvers<() => void>();
      const waiter: Waiter = { bytes, enter: () => resolve(occupy(bytes)) };
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
