/**
 * What the sweep needs from outside.
 *
 * @module
 */
import type { ContentHash } from "../core/content_hash.ts";
import type { ObjectLister } from "../core/object_store.ts";
import type { AssetFacts, Attempt, UploadCatalog, UploadObjects } from "./ports.ts";

/** A content row whose upload has stopped half-way. */
export interface StuckContent {
  readonly contentHash: ContentHash;
  readonly sizeBytes: number;
  readonly state: "UPLOADING" | "VERIFIED";
}

/** The content rows as the sweep moves them; same rules as {@linkcode UploadCatalog}. */
export interface SweepCatalog extends Pick<UploadCatalog, "renew" | "verify" | "fail"> {
  /** Rows in UPLOADING or VERIFIED whose lease has expired, oldest first. */
  listStuck(limit: number): Promise<readonly ContentHash[]>;
  /** Makes the attempt the owner of such a row; null when it is not stuck any more. */
  takeOver(attempt: Attempt, leaseMs: number): Promise<StuckContent | null>;
  /**
   * VERIFIED → READY with its facts, if anyone refers to the content. `unreferenced` changes
   * nothing; so does `lost`, when the attempt no longer owns the row.
   */
  finish(attempt: Attempt, facts: AssetFacts): Promise<"ready" | "unreferenced" | "lost">;
}

/** A session whose staging is to be removed. */
export interface DeadSession {
  readonly sessionId: string;
  readonly stagingKey: string;
  readonly multipartId: string | null;
}

/** The rows of `upload_session` as the sweep sees them. */
export interface SweepSessions {
  /**
   * Sessions that nobody is at work on and that have expired, or are streams (which live by their
   * lease alone), or ended without the removal of their staging.
   */
  listDead(limit: number): Promise<readonly string[]>;
  /** Takes such a session for `leaseMs`, aborting it unless it is done; null when it is not dead. */
  take(sessionId: string, leaseMs: number): Promise<DeadSession | null>;
  /** Its staging is gone: drops the row of a stream or an expired session, else its lease. */
  forget(sessionId: string): Promise<void>;
  /** Which of these have a row. */
  filterExisting(sessionIds: readonly string[]): Promise<ReadonlySet<string>>;
}

/** The part of the object store that the sweep uses. */
export type SweepObjects = UploadObjects & ObjectLister;
