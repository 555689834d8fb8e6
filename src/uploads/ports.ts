/**
 * What the upload use case takes and gives, and what it needs from outside.
 *
 * @module
 */
import type { AssetState } from "../core/asset_state.ts";
import type { ContentHash } from "../core/content_hash.ts";
import type {
  MultipartStore,
  ObjectReader,
  ObjectRemover,
  ObjectWriter,
} from "../core/object_store.ts";
import type { ByteSource } from "../core/image_header/byte_source.ts";

/** Who may read an asset's bytes without a key. */
export type Visibility = "public" | "private";

/** Who uploads, and what they say about the bytes. Nothing of it is believed unproved. */
export interface UploadRequest {
  readonly tenant: string;
  /** Recorded as the reference's creator. */
  readonly keyId: string;
  /** As the client spelled it; sanitised here. Null when there is none. */
  readonly fileName: string | null;
  /** The client's media type; only a hint for bytes that no detector knows. */
  readonly claimedType: string | null;
  /** The hash that the bytes must have. */
  readonly expectedHash?: ContentHash | undefined;
  /** SHA-256 values (32 bytes each) from Content-Digest and Repr-Digest: all must match. */
  readonly expectedSha256Digests?: readonly Uint8Array[] | undefined;
  /** The declared length of the body in bytes; a body of another length is refused. */
  readonly contentLength?: number | undefined;
  /** `public` by default. Content that anyone uploaded as public stays public. */
  readonly visibility?: Visibility | undefined;
  /** Aborts when the client is gone. After the last byte has arrived the upload is finished anyway. */
  readonly signal: AbortSignal;
}

/** Bytes that already lie in the store under `staging/`, to be adopted as an asset. */
export interface StagedUpload extends Omit<UploadRequest, "contentLength"> {
  /** The row of `upload_session`, which must be `open` (or `completing` with an expired lease). */
  readonly sessionId: string;
  readonly stagingKey: string;
  /** The size that the object must have, as the client or the protocol declared it. */
  readonly sizeBytes: number;
  /**
   * Whether the client may still be able to overwrite the staging object (it holds a presigned
   * URL). The object is then copied to a key that it cannot write before it is hashed: a check of
   * the ETag would not do, since that is an MD5, of which collisions are cheap.
   */
  readonly clientCanWrite: boolean;
}

/** Facts of the stored bytes. Everything but the media type is null when they are not an image. */
export interface AssetFacts {
  /** Sniffed; never the client's word where the bytes speak for themselves. */
  readonly mediaType: string;
  /** What a viewer sees: orientation applied. Pixels. */
  readonly width: number | null;
  readonly height: number | null;
  /** EXIF orientation, 1 to 8. */
  readonly orientation: number | null;
  readonly frames: number | null;
  readonly bitDepth: number | null;
  readonly colorModel: string | null;
  readonly hasAlpha: boolean | null;
  readonly iccName: string | null;
}

/** One tenant's view of stored content. */
export interface UploadedAsset extends AssetFacts {
  /** The tenant's reference (UUIDv7). */
  readonly assetId: string;
  readonly contentHash: ContentHash;
  readonly sizeBytes: number;
  readonly state: AssetState;
  readonly fileName: string | null;
  readonly visibility: Visibility;
  readonly createdAt: Date;
}

/** The outcome of an upload. */
export interface UploadResult {
  /**
   * True (201) when this upload stored the bytes or is the tenant's first of them; false (200) for
   * a repetition. It never tells whether *another* tenant had them.
   */
  readonly created: boolean;
  readonly asset: UploadedAsset;
}

/** Brings bytes in. */
export interface Ingest {
  /**
   * Reads `body` once and stores it under its hash. Resolves when the asset is READY (or ARCHIVED,
   * when the bytes were known and are). The body is read to the end or cancelled, whatever happens.
   *
   * @throws {AppError} `body_too_large`, `empty_body`, `incomplete_body`, `invalid_request` (longer
   * than Content-Length, NUL in the file name), `digest_mismatch`, `body_timeout`,
   * `client_closed_request`, `upload_queue_full`, `storage_*`, `catalog_unavailable`.
   */
  ingest(body: ReadableStream<Uint8Array>, request: UploadRequest): Promise<UploadResult>;
  /**
   * Adopts bytes that a resumable or direct upload left in `staging/`. Our own HEAD and re-hash
   * decide. Moves the session `open → completing → done` and removes the staging object; on
   * `digest_mismatch`, `empty_body`, `body_too_large` and `incomplete_body` (another size than
   * declared) the session ends `aborted` and nothing is kept; after any other failure it is `open`
   * again.
   *
   * @throws {AppError} As {@linkcode ingest}, and `asset_not_found` (nothing staged),
   * `state_conflict` (the session is not open, or is being adopted right now).
   */
  adoptStaged(upload: StagedUpload): Promise<UploadResult>;
  /**
   * The asset, if this tenant has a reference to it and its bytes are there (READY or ARCHIVED);
   * else null. Other tenants' uploads make no difference to the answer.
   */
  knownToTenant(tenant: string, hash: ContentHash): Promise<UploadedAsset | null>;
  /** Resolves when no work that outlives its request (thumb hashes) is left. For shutdown. */
  settled(): Promise<void>;
}

/** Identifies one try at storing content; owns the row while its lease runs. */
export interface Attempt {
  readonly contentHash: ContentHash;
  readonly attemptId: string;
}

/** The reference to make for a tenant that has none to the content yet. */
export interface NewReference {
  readonly referenceId: string;
  readonly tenant: string;
  readonly keyId: string;
  /** Sanitised. */
  readonly fileName: string | null;
}

/** What {@linkcode UploadCatalog.claim} needs. */
export interface ClaimRequest extends Attempt, NewReference {
  readonly sizeBytes: number;
  readonly leaseMs: number;
  /** Null when the uploader did not say: public, unless the tenant has it as private already. */
  readonly visibility: Visibility | null;
}

/** The outcome of a claim. */
export type Claim =
  /** The content is stored; the tenant now has a reference to it. */
  | { readonly outcome: "known"; readonly asset: UploadedAsset; readonly newReference: boolean }
  /** The attempt owns the row, which is UPLOADING: store the bytes. */
  | { readonly outcome: "claimed" }
  /** Another attempt (or a purge) owns the row for so long. */
  | { readonly outcome: "busy"; readonly leaseLeftMs: number };

/**
 * The content rows and references, as uploads move them. Every method is one transaction under the
 * advisory lock of the hash, guarded by state and attempt, and appends its events in the same
 * transaction; each may be repeated after a lost answer. The database's clock decides leases.
 */
export interface UploadCatalog {
  /**
   * Takes the row for the attempt: makes it, takes it over when its lease has expired, or reopens it
   * from FAILED, MISSING, or DELETED (once purged, or when no purge is running). The caller must
   * have proved that it has the bytes.
   */
  claim(request: ClaimRequest): Promise<Claim>;
  /** Extends the lease. False when the attempt no longer owns the row. */
  renew(attempt: Attempt, leaseMs: number): Promise<boolean>;
  /** UPLOADING → VERIFIED, extending the lease. False when the attempt no longer owns the row. */
  verify(attempt: Attempt, leaseMs: number): Promise<boolean>;
  /**
   * VERIFIED → READY with its facts. Makes the reference again if it was deleted meanwhile: the
   * upload ends after that deletion. Null when the attempt no longer owns the row.
   */
  publish(
    attempt: Attempt,
    facts: AssetFacts,
    reference: NewReference,
  ): Promise<UploadedAsset | null>;
  /** UPLOADING|VERIFIED → FAILED. False when the attempt no longer owns the row. */
  fail(attempt: Attempt, reason: string): Promise<boolean>;
  /** The tenant's view of the content in whatever state, or null without a reference. */
  find(tenant: string, hash: ContentHash): Promise<UploadedAsset | null>;
}

/** A session that covers bytes in `staging/`, so that the sweep finds them after a crash. */
export interface NewSession {
  readonly sessionId: string;
  readonly stagingKey: string;
  readonly tenant: string;
  readonly keyId: string;
  readonly declaredHash: ContentHash | null;
  readonly declaredSizeBytes: number | null;
  readonly fileName: string | null;
  readonly claimedType: string | null;
  readonly leaseMs: number;
}

/** The rows of `upload_session`, as uploads move them. */
export interface UploadSessions {
  /** Makes an `open` session of kind `stream`, which lives only as long as its lease is renewed. */
  open(session: NewSession): Promise<void>;
  /** Extends the lease and records progress. False when the sweep has taken the session. */
  renew(
    sessionId: string,
    progress: {
      readonly leaseMs: number;
      readonly receivedBytes: number;
      readonly multipartId: string | null;
    },
  ): Promise<boolean>;
  /**
   * `open` or `completing`, with no lease running → `completing`. False when it is neither, or
   * somebody is at work on it.
   */
  beginCompletion(sessionId: string, leaseMs: number): Promise<boolean>;
  /**
   * → `done`, remembering the hash for repeated completions, or → `aborted`. The lease stays until
   * `release`, so that a crash before the staging object is removed is found. → `open` gives the
   * lease back.
   */
  end(
    sessionId: string,
    outcome:
      | { readonly state: "done"; readonly hash: ContentHash }
      | { readonly state: "aborted" | "open" },
  ): Promise<void>;
  /** Nothing is left in staging: drops a `stream` session's row and any other's lease. */
  release(sessionId: string): Promise<void>;
}

/** Reads the facts of a file. */
export interface FactReader {
  /** Never fails because of the bytes; only when they cannot be read. */
  readFacts(source: ByteSource, claimedType: string | null): Promise<AssetFacts>;
}

/** A blurred stand-in for an image. */
export interface Placeholder {
  /** ThumbHash, at most 25 bytes. */
  readonly thumbHash: Uint8Array;
  /** `#rrggbb`. */
  readonly dominantColor: string;
}

/** Makes placeholders of stored images. */
export interface PlaceholderMaker {
  /** Null when there is nothing to show for it (not a decodable image). */
  makePlaceholder(hash: ContentHash, signal: AbortSignal): Promise<Placeholder | null>;
}

/** Records placeholders. */
export interface PlaceholderStore {
  savePlaceholder(hash: ContentHash, placeholder: Placeholder): Promise<void>;
}

/** The part of the object store that uploads use. */
export type UploadObjects = ObjectReader & ObjectWriter & ObjectRemover & MultipartStore;

/** Takes note of a failure that no caller will see. */
export type FailureReporter = (event: string, details: {
  readonly error: unknown;
  readonly contentHash?: ContentHash | undefined;
  readonly sessionId?: string | undefined;
}) => void;

/** The steps of an upload, in the order in which they come. */
export type IngestStep =
  | "session_opened"
  | "part_written"
  | "sealed"
  | "body_received"
  | "claimed"
  | "staging_completed"
  | "object_stored"
  | "object_checked"
  | "verified"
  | "facts_read"
  | "ready"
  | "session_done"
  | "staging_removed";

/** Is told each step as soon as it is done; what it throws fails the upload. */
export type StepObserver = (step: IngestStep) => void | Promise<void>;
