import type { ContentHash } from "../core/content_hash.ts";
import { AppError, type ErrorKind } from "../errors.ts";
import type { VariantKey } from "./ports.ts";

/** Failures that the same bytes give each time. */
const LASTING: ReadonlySet<ErrorKind> = new Set(["unsupported", "undecodable"]);

/** Remembers which sources cannot be rendered, so that a hostile one is decoded once, not always. */
export interface FailureMemory {
  /** Keeps a failure that would come again; ignores every other. */
  remember(key: VariantKey, error: unknown): void;
  /** @throws {AppError} the failure of this asset, while it is remembered. */
  check(key: VariantKey): void;
  /** Forgets the failure of an asset, or of all (null). */
  forget(hash: ContentHash | null): void;
}

/** Creates a failure memory: `ttlMs` (default 60 s), at most `maxEntries` (default 1,000). */
export function createFailureMemory(
  options: {
    readonly nowMs: () => number;
    readonly ttlMs?: number;
    readonly maxEntries?: number;
  },
): FailureMemory {
  const { nowMs, ttlMs = 60_000, maxEntries = 1_000 } = options;
  const failures = new Map<string, { readonly error: AppError; readonly untilMs: number }>();
  return {
    remember(key, error) {
      if (!(error instanceof AppError) || !LASTING.has(error.kind)) return;
      failures.delete(key.hash);
      while (failures.size >= maxEntries) failures.delete(failures.keys().next().value!);
      failures.set(key.hash, { error, untilMs: nowMs() + ttlMs });
    },
    check(key) {
      const failure = failures.get(key.hash);
      if (!failure) return;
      if (failure.untilMs > nowMs()) throw failure.error;
      failures.delete(key.hash);
    },
    forget(hash) {
      if (hash === null) failures.clear();
      else failures.delete(hash);
    },
  };
}
