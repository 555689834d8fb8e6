/**
 * Uploads that span requests: resumable ones (tus) and direct ones (presigned). What they are, and
 * what they need from outside.
 *
 * @module
 */
import type { ContentHash } from "../core/content_hash.ts";
import type { ObjectLister } from "../core/object_store.ts";
import type { UploadedAsset, UploadObjects, UploadResult, Visibility } from "./ports.ts";

/** Which protocol a session speaks. */
export type SpanningKind = "tus" | "direct";

/** What the client says when it begins. Nothing of it is believed unproved. */
export interface SpanningRequest {
  readonly tenant: string;
  readonly keyId: string;
  /** The size in bytes that the upload is to have. */
  readonly sizeBytes: number;
  readonly fileName: string | null;
  readonly claimedType: string | null;
  readonly expectedHash: ContentHash | null;
  readonly visibility: Visibility | null;
  /** `Upload-Metadata` as the client sent it, to be echoed; null when there is none. */
  readonly rawMetadata: string | null;
}

/** One row of `upload_session`, as these uploads see it. */
export interface SpanningSession extends SpanningRequest {
  readonly sessionId: string;
  readonly kind: SpanningKind;
  readonly stagingKey: string;
  /** The store's id of the multipart upload, null before there is one or where none is needed. */
  readonly multipartId: string | null;
  /** Size of every part but the last. */
  readonly partSizeBytes: number;
  /** Bytes that are safely stored, counted from the first. */
  readonly offsetBytes: number;
  /** Where the bytes behind the last whole part lie; null when there are none. */
  readonly tailKey: string | null;
  /** Rises whenever a request begins to write, so that an older writer can do no harm. */
  readonly fence: number;
  readonly state: "open" | "completing" | "done" | "aborted";
  /** By the clock of the database. */
  readonly expired: boolean;
  readonly expiresAt: Date;
  /** The hash of what it became, once it is `done`. */
  readonly contentHash: ContentHash | null;
}

/** What is known of a new session. */
export type NewSpanningSession =
  & SpanningRequest
  & Pick<SpanningSession, "sessionId" | "kind" | "stagingKey" | "multipartId" | "partSizeBytes">;

/** What a writer has achieved. */
export interface SpanningProgress {
  readonly fence: number;
  /** What the offset was before; it must still be that. */
  readonly fromBytes: number;
  readonly toBytes: number;
  readonly tailKey: string | null;
  readonly multipartId: string | null;
}

/** The rows of `upload_session` of kind `tus` and `direct`. Each method is one statement. */
export interface SpanningSessions {
  /** Makes an `open` session that lasts `ttlMs`; resolves to when it ends. */
  create(session: NewSpanningSession, ttlMs: number): Promise<Date>;
  /** The session if it is this tenant's, else null. */
  find(tenant: string, sessionId: string): Promise<SpanningSession | null>;
  /**
   * Lets a new writer in at `offsetBytes`, shutting out the one before: a client that lost its
   * connection must not wait until this service notices.
   *
   * @returns The session with its new fence, or null when it is not open at that offset.
   */
  beginWrite(sessionId: string, offsetBytes: number): Promise<SpanningSession | null>;
  /** Moves the offset and extends the life by `ttlMs`. False when another writer was let in. */
  advance(sessionId: string, progress: SpanningProgress, ttlMs: number): Promise<boolean>;
  /** `open` → `aborted`, with a lease until its staging is removed. False when it is not open. */
  abort(sessionId: string, leaseMs: number): Promise<boolean>;
}

/** The part of the object store that these uploads use. */
export type SpanningObjects = UploadObjects & ObjectLister;

/** A session for its owner's eyes. */
export interface SpanningView {
  readonly session: SpanningSession;
  /** What it became; null before that, and when the tenant has dropped the reference since. */
  readonly asset: UploadedAsset | null;
}

/** How far an upload has come, and what it became if that was the last byte. */
export interface AppendResult {
  readonly session: SpanningSession;
  readonly offsetBytes: number;
  readonly expiresAt: Date;
  readonly result: UploadResult | null;
}
