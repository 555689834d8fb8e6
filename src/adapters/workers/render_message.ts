/**
 * What the pool and its workers say to each other. Pixels and bytes cross by transfer.
 *
 * @module
 */

import type { ImageFacts } from "../../core/image_facts.ts";
import { AppError, type ErrorCode } from "../../errors.ts";
import type { RenderedImage } from "../../image/pipeline.ts";
import type { RenderSpec } from "../../image/render_spec.ts";

/** Pool to worker. */
export type WorkerRequest =
  | {
    readonly kind: "render";
    readonly source: Uint8Array<ArrayBuffer>;
    readonly facts: ImageFacts;
    readonly spec: RenderSpec;
    readonly memoryBudgetBytes: number;
  }
  | { readonly kind: "warm" }
  /** Comes first, where renders are to give way to the rest of the service; there is no reply. */
  | { readonly kind: "give_way"; readonly niceness: number }
  /** Asks the worker to end itself; it does not reply. */
  | { readonly kind: "close" };

/** Worker to pool. Each request has exactly one reply; `ready` comes once, unasked. */
export type WorkerReply =
  | { readonly kind: "ready" }
  | { readonly kind: "warmed" }
  | { readonly kind: "rendered"; readonly image: RenderedImage; readonly heldBytes: number }
  | { readonly kind: "failed"; readonly failure: RenderFailure; readonly heldBytes: number };

/** An error as plain data: classes do not survive the way between threads. */
export interface RenderFailure {
  /** Null for what is no {@linkcode AppError}: a bug. */
  readonly code: ErrorCode | null;
  readonly detail: string;
  /** For the log. */
  readonly cause: string | null;
}

/** Flattens an error for the way to the pool. */
export function formatFailure(error: unknown): RenderFailure {
  if (error instanceof AppError) {
    const cause = error.cause === undefined ? null : String(error.cause);
    return { code: error.code, detail: error.message, cause };
  }
  const cause = error instanceof Error ? error.stack ?? error.message : String(error);
  return { code: null, detail: "The image could not be rendered", cause };
}

/** The inverse of {@linkcode formatFailure}; bugs become `internal_error`. */
export function parseFailure({ code, detail, cause }: RenderFailure): AppError {
  return new AppError(code ?? "internal_error", detail, cause === null ? {} : { cause });
}
