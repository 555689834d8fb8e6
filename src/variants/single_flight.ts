/** Joins callers that want the same thing at the same time. */
export interface SingleFlight<Value> {
  /**
   * Runs `work` for `key`, or joins the run that is under way. A caller whose `signal` aborts
   * leaves with the abort reason; the work goes on for the others and is aborted when the last has
   * left. Nothing is remembered once the work has settled: a failure is not passed on to callers
   * that come later.
   *
   * @returns The value, and whether this caller started the work.
   */
  run(
    key: string,
    work: (signal: AbortSignal) => Promise<Value>,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly value: Value; readonly leader: boolean }>;
  /** Whether work for `key` is under way. */
  has(key: string): boolean;
}

interface Flight<Value> {
  readonly promise: Promise<Value>;
  readonly controller: AbortController;
  callers: number;
}

/** Creates a single flight. */
export function createSingleFlight<Value>(): SingleFlight<Value> {
  const flights = new Map<string, Flight<Value>>();

  function start(key: string, work: (signal: AbortSignal) => Promise<Value>): Flight<Value> {
    const controller = new AbortController();
    const promise = work(controller.signal).finally(() => {
      if (flights.get(key) === flight) flights.delete(key);
    });
    // Every caller may have left by the time it fails.
    promise.catch(() => {});
    const flight: Flight<Value> = { promise, controller, callers: 0 };
    flights.set(key, flight);
    return flight;
  }

  function leave(key: string, flight: Flight<Value>, reason: unknown): void {
    if (--flight.callers > 0) return;
    // Later callers must start anew rather than join a flight that is being aborted.
    if (flights.get(key) === flight) flights.delete(key);
    flight.controller.abort(reason);
  }

  return {
    async run(key, work, signal) {
      signal?.throwIfAborted();
      const running = flights.get(key);
      const flight = running ?? start(key, work);
      flight.callers++;
      const leader = running === undefined;
      if (!signal) return { value: await flight.promise, leader };
      const { promise: left, reject } = Promise.withResolvers<never>();
      const onAbort = () => {
        leave(key, flight, signal.reason);
        reject(signal.reason);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        return { value: await Promise.race([flight.promise, left]), leader };
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
    },
    has: (key) => flights.has(key),
  };
}
