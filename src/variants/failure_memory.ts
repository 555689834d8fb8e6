import type { ContentHash } from "../core/content_hash.ts";
import { makeRoom } from "../core/make_room.ts";
import { AppError, type ErrorKind } from "../errors.ts";
import type { VariantKey } from "./ports.ts";

/** Failures that the same bytes give each time. */
const LASTING: ReadonlySet<ErrorKind> = new Set(["unsupported", "undecodable"]);

/** Stands for every variant of an asset. */
const ALL = "";

/** Failures of one asset that are told apart; the oldest gives way. */
const MAX_VARIANTS = 64;

/** Remembers which sources cannot be rendered, so that a hostile one is decoded once, not always. */
export interface FailureMemory {
  /** Keeps a failure that would come again; ignores every other. */
  remember(key: VariantKey, error: unknown): void;
  /** @throws {AppError} the failure of this variant, or of its whole asset, while remembered. */
  check(key: VariantKey): void;
  /** Forgets the failures of an asset, or of all (null). */
  forget(hash: ContentHash | null): void;
}

interface Failure {
  readonly error: AppError;
  readonly untilMs: number;
}

/**
 * Creates a failure memory: `ttlMs` (default 60 s), at most `maxEntries` assets (default 1,000).
 *
 * What cannot be decoded fails for every variant. A budget that was exceeded says nothing of the
 * others: a large output takes memory that a small one of the same source does not.
 */
export function createFailureMemory(
  options: {
    readonly nowMs: () => number;
    readonly ttlMs?: number;
    readonly maxEntries?: number;
  },
): FailureMemory {
  const { nowMs, ttlMs = 60_000, maxEntries = 1_000 } = options;
  const failures = new Map<string, Map<string, Failure>>();
  return {
    remember({ hash, variant }, error) {
      if (!(error instanceof AppError) || !LASTING.has(error.kind)) return;
      const ofAsset = failures.get(hash) ?? new Map<string, Failure>();
      failures.delete(hash);
      makeRoom(failures, maxEntries);
      failures.set(hash, ofAsset);
      makeRoom(ofAsset, MAX_VARIANTS);
      const scope = error.code === "image_budget_exceeded" ? variant : ALL;
      ofAsset.set(scope, { error, untilMs: nowMs() + ttlMs });
    },
    check({ hash, variant }) {
      const ofAsset = failures.get(hash);
      for (const scope of [ALL, variant]) {
        const failure = ofAsset?.get(scope);
        if (failure && failure.untilMs > nowMs()) throw failure.error;
      }
    },
    forget(hash) {
      if (hash === null) failures.clear();
      else failures.delete(hash);
    },
  };
}
