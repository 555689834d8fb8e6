import type { AssetState } from "./asset_state.ts";

/** What a claim sees of a content row. */
export interface ClaimedRow {
  readonly state: AssetState;
  /** Whether the object must not be served although the state says that it is there. */
  readonly flagged: boolean;
  readonly attemptId: string | null;
  /** Milliseconds that the owner's lease still runs, by the database's clock; 0 when it is over. */
  readonly leaseLeftMs: number;
}

/** What a claim does. */
export type ClaimDecision =
  /** There is no row: make one. */
  | { readonly action: "insert" }
  /** The bytes are stored: refer to them. */
  | { readonly action: "refer" }
  /** The row is the caller's already: an earlier claim's answer was lost. */
  | { readonly action: "resume" }
  /** Somebody else is at work on the row. */
  | { readonly action: "wait"; readonly leaseLeftMs: number }
  /** Take the row through these states; the last is UPLOADING. */
  | { readonly action: "reopen"; readonly path: readonly AssetState[]; readonly reason: string };

/**
 * Decides what an attempt that has proved to hold the bytes does with the content's row.
 *
 * An expired lease means that its owner crashed or lost the catalog: the row goes through FAILED to
 * UPLOADING again. DELETED is reopened once no purge is removing the bytes (a purge takes the lease
 * first); a purge that has not begun finds the row reopened and leaves it alone.
 */
export function decideClaim(row: ClaimedRow | null, attemptId: string): ClaimDecision {
  if (row === null) return { action: "insert" };
  switch (row.state) {
    case "READY":
    case "ARCHIVED":
      if (!row.flagged) return { action: "refer" };
      return { action: "reopen", path: ["MISSING", "UPLOADING"], reason: "the object was flagged" };
    case "UPLOADING":
    case "VERIFIED":
      if (row.state === "UPLOADING" && row.attemptId === attemptId) return { action: "resume" };
      if (row.leaseLeftMs > 0) return { action: "wait", leaseLeftMs: row.leaseLeftMs };
      return { action: "reopen", path: ["FAILED", "UPLOADING"], reason: "the lease expired" };
    case "DELETED":
      if (row.leaseLeftMs > 0) return { action: "wait", leaseLeftMs: row.leaseLeftMs };
      return { action: "reopen", path: ["UPLOADING"], reason: "uploaded again" };
    case "MISSING":
    case "FAILED":
      return { action: "reopen", path: ["UPLOADING"], reason: "uploaded again" };
  }
}
