/** What one request came to. */
export interface Outcome {
  readonly kind: string;
  /** 0 when the connection failed. */
  readonly status: number;
  /** From the moment it was due. */
  readonly tookMs: number;
}

/** Starts a request every `1 / perSecond` seconds, however long earlier ones take. */
export async function openLoop(
  options: { readonly perSecond: number; readonly seconds: number },
  request: () => Promise<Outcome>,
): Promise<Outcome[]> {
  const startMs = performance.now();
  const count = Math.round(options.perSecond * options.seconds);
  const running: Promise<Outcome>[] = [];
  for (let index = 0; index < count; index++) {
    const dueMs = startMs + index * 1000 / options.perSecond;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    running.push(request().then((outcome) => ({ ...outcome, tookMs: performance.now() - dueMs })));
  }
  return await Promise.all(running);
}

/** The value below which a share of the sorted numbers lies; NaN of none. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
