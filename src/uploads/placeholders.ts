import type { ContentHash } from "../core/content_hash.ts";
import type { FailureReporter, PlaceholderMaker, PlaceholderStore } from "./ports.ts";

/** Images that may wait for their placeholder; more go without. */
const MAX_QUEUED = 1_000;

/** Longest time for one. */
const TIME_LIMIT_MS = 30_000;

/** Makes placeholders after the response, one at a time. */
export interface PlaceholderQueue {
  /** Never fails and never waits. */
  add(hash: ContentHash): void;
  /** Resolves when the queue is empty. */
  settled(): Promise<void>;
}

/**
 * Creates the queue. A placeholder is a nicety: a full queue, a failure or a crash leaves the asset
 * without one.
 */
export function createPlaceholderQueue(
  deps: { readonly maker: PlaceholderMaker; readonly store: PlaceholderStore } | undefined,
  reportFailure: FailureReporter,
): PlaceholderQueue {
  if (deps === undefined) return { add: () => {}, settled: () => Promise.resolve() };
  const { maker, store } = deps;
  const queued: ContentHash[] = [];
  let running: Promise<void> | null = null;

  async function work(): Promise<void> {
    for (let hash = queued.shift(); hash !== undefined; hash = queued.shift()) {
      const deadline = new AbortController();
      const timer = setTimeout(
        () => deadline.abort(new DOMException("The placeholder took too long", "TimeoutError")),
        TIME_LIMIT_MS,
      );
      try {
        const placeholder = await maker.makePlaceholder(hash, deadline.signal);
        if (placeholder !== null) await store.savePlaceholder(hash, placeholder);
      } catch (error) {
        reportFailure("placeholder failed", { error, contentHash: hash });
      } finally {
        clearTimeout(timer);
      }
    }
    running = null;
  }

  return {
    add(hash) {
      if (queued.length >= MAX_QUEUED) return;
      queued.push(hash);
      running ??= work();
    },
    async settled() {
      while (running !== null) await running;
    },
  };
}
