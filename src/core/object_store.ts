/**
 * The object store as the features see it: small interfaces, of which each feature takes the ones
 * it needs. `adapters/disk` and `adapters/s3` implement all of them and pass one contract suite.
 *
 * Rules that hold for every method:
 * - a key is what `object_keys.ts` accepts; anything else is `invalid_request` before any I/O;
 * - an absent object is `null` (or `false`), never an exception;
 * - other failures are an `AppError`: `storage_unavailable` (down, throttled or unreachable, with
 *   `retryAfterSeconds`), `storage_timeout`, `storage_full`, `storage_error` (the store refused or
 *   answered wrongly, a retry will not help), `object_mismatch` (what is stored is not what was
 *   declared), `asset_archived` (the bytes must be restored first), `range_not_satisfiable`;
 * - when the caller's `signal` aborts, the signal's own reason is thrown, as `fetch` does.
 *
 * @module
 */

import type { ByteRange } from "./byte_range.ts";
import type {
  BucketLifecycle,
  ObjectTiering,
  RestoreState,
  StorageClass,
} from "./storage_class.ts";

/** One line of a listing. */
export interface ObjectInfo {
  readonly key: string;
  readonly sizeBytes: number;
  readonly lastModifiedAt: Date;
  readonly storageClass: StorageClass;
}

/** What the store knows about one object without sending its bytes. */
export interface ObjectHead extends ObjectInfo {
  /** The store's opaque version of the bytes. Never a content hash: do not derive meaning. */
  readonly etag: string;
  /**
   * SHA-256 of the whole object as 64 hex digits, only where the store itself verified it while
   * writing; null where it keeps none. Absence proves nothing.
   */
  readonly sha256: string | null;
  /** Set once a restore was asked for; null otherwise. */
  readonly restore: RestoreState | null;
}

/** Common options. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** The bytes of an object, or of a range of it. */
export interface ObjectBody {
  /**
   * Exactly `sizeBytes` bytes, or an error: a body that the store ends early makes the stream fail
   * with `storage_error`, so that a truncated object is never taken for a whole one. Must be read
   * to the end or cancelled.
   */
  readonly stream: ReadableStream<Uint8Array>;
  /** Bytes in `stream`. */
  readonly sizeBytes: number;
  /** Bytes of the whole object; larger than `sizeBytes` for a range. */
  readonly totalBytes: number;
  readonly etag: string;
  readonly lastModifiedAt: Date;
}

/** Reads objects. */
export interface ObjectReader {
  /** What is stored under `key`, or null. */
  head(key: string, options?: CallOptions): Promise<ObjectHead | null>;
  /**
   * The bytes under `key`, or null.
   *
   * @throws {AppError} `asset_archived`, `range_not_satisfiable`.
   */
  get(
    key: string,
    options?: CallOptions & { readonly range?: ByteRange | undefined },
  ): Promise<ObjectBody | null>;
}

/** Options of every call that makes an object visible under its key. */
export interface WriteOptions extends CallOptions {
  /**
   * Leave an existing object as it is. Atomic where the store has conditional writes; elsewhere
   * the store is asked first, and two writers at once may both write. Keys that name their content
   * are safe either way.
   */
  readonly ifAbsent?: boolean | undefined;
}

/** What a write did. */
export interface WriteResult {
  /** False only with `ifAbsent`: something was there already (perhaps by our own lost try). */
  readonly created: boolean;
}

/** Options of {@linkcode ObjectWriter.put}. */
export interface PutOptions extends WriteOptions {
  /** Media type for the store's own records; what clients are told comes from the catalog. */
  readonly contentType?: string | undefined;
  /** SHA-256 of `bytes`, 64 hex digits, when known: the store then verifies what it received. */
  readonly sha256?: string | undefined;
}

/** Options of {@linkcode ObjectWriter.copy}. */
export interface CopyOptions extends WriteOptions {
  readonly contentType?: string | undefined;
  /**
   * The `etag` that the source must still have. Needed wherever a client can write the source: its
   * presigned URL still works after the bytes were checked.
   */
  readonly ifMatch?: string | undefined;
}

/** Writes whole objects. An object is visible under its key completely or not at all. */
export interface ObjectWriter {
  /**
   * Stores up to one part (see {@linkcode MultipartStore} for more).
   *
   * @throws {AppError} `object_mismatch` when the bytes received do not have `sha256`.
   */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<WriteResult>;
  /**
   * Copies on the server's side, whatever the size, or null when there is no `from`. Metadata of
   * the source is not carried over, since a direct uploader may have chosen it. The copy is
   * `standard`.
   *
   * @throws {AppError} `object_mismatch` when `from` no longer has the etag `ifMatch`,
   * `asset_archived`.
   */
  copy(from: string, to: string, options?: CopyOptions): Promise<WriteResult | null>;
}

/** Removes objects. */
export interface ObjectRemover {
  /** Removes the object; an absent one is fine. */
  delete(key: string, options?: CallOptions): Promise<void>;
  /** Removes any number of objects; returns the keys that could not be removed. */
  deleteMany(keys: readonly string[], options?: CallOptions): Promise<{ failedKeys: string[] }>;
}

/** Handle of a multipart upload. Plain data: may be stored and used again after a restart. */
export interface MultipartUpload {
  readonly key: string;
  /** The store's own id. */
  readonly uploadId: string;
  /**
   * Size of every part but the last, which may be smaller (even empty when it is the only one).
   * Stores differ in how ragged they allow parts to be; this is the strictest rule (R2's).
   */
  readonly partSizeBytes: number;
}

/** A part that the store has. */
export interface UploadedPart {
  /** 1 to 10,000. */
  readonly partNumber: number;
  readonly etag: string;
  readonly sizeBytes: number;
}

/** A multipart upload that was begun and neither completed nor aborted. */
export interface OpenMultipartUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly initiatedAt: Date;
}

/** The lowest part size that every store accepts (for all but the last part). */
export const MIN_PART_SIZE_BYTES = 5 * 1024 * 1024;

/** The most parts that an upload may have (S3, R2 and Ceph agree). */
export const MAX_PARTS = 10_000;

/** Uploads in parts. Nothing is visible under the key before `completeMultipart`. */
export interface MultipartStore {
  /** Begins an upload. `partSizeBytes` ≥ {@linkcode MIN_PART_SIZE_BYTES}. */
  createMultipart(
    key: string,
    options: CallOptions & {
      readonly partSizeBytes: number;
      readonly contentType?: string | undefined;
    },
  ): Promise<MultipartUpload>;
  /**
   * Stores part `partNumber`, replacing an earlier one of that number. Durable when it returns.
   *
   * @throws {AppError} `object_mismatch` when the upload was completed or aborted meanwhile.
   */
  uploadPart(
    upload: MultipartUpload,
    part: CallOptions & { readonly partNumber: number; readonly bytes: Uint8Array },
  ): Promise<UploadedPart>;
  /**
   * Makes the object visible. `parts` are numbered 1, 2, 3, … without gaps. Safe to call again
   * when the first answer was lost. With `ifAbsent` and something there already, the parts are
   * dropped.
   *
   * @throws {AppError} `object_mismatch` when a part is missing, differs or breaks the size rule,
   * or the upload is gone.
   */
  completeMultipart(
    upload: MultipartUpload,
    options: WriteOptions & { readonly parts: readonly UploadedPart[] },
  ): Promise<WriteResult>;
  /** Drops the upload and its parts; fine when it is gone already. */
  abortMultipart(
    upload: Pick<MultipartUpload, "key" | "uploadId">,
    options?: CallOptions,
  ): Promise<void>;
  /** The parts that are stored, by number, or null when there is no such upload. */
  listParts(
    upload: Pick<MultipartUpload, "key" | "uploadId">,
    options?: CallOptions,
  ): Promise<UploadedPart[] | null>;
  /** Every open upload whose key begins with `prefix`, in no order that callers may rely on. */
  listMultipartUploads(
    prefix: string,
    options?: CallOptions,
  ): AsyncGenerator<OpenMultipartUpload, void, void>;
}

/** Options of {@linkcode ObjectLister.list}. */
export interface ListOptions extends CallOptions {
  /** Only keys that come after this one. */
  readonly startAfter?: string | undefined;
  /** Most objects per page, 1 to 1,000 (default). Stop reading the generator to get fewer. */
  readonly pageSize?: number | undefined;
}

/** Lists objects. */
export interface ObjectLister {
  /**
   * The objects whose key begins with `prefix`, in pages, in the byte order of the key's UTF-8
   * (Postgres: `COLLATE "C"`), each key once. Holds one page (disk: and the names of some folders).
   * Pages are never empty. Objects written or removed meanwhile may or may not appear; those that
   * stay do. A listing that fails half-way throws: an ended loop is a complete listing.
   */
  list(prefix: string, options?: ListOptions): AsyncGenerator<ObjectInfo[], void, void>;
}

/** A request that a client may send by itself, until it expires. */
export interface PresignedRequest {
  readonly method: "PUT";
  /** Absolute, or (disk, unless configured) relative to the service's own origin. */
  readonly url: string;
  /** Headers that must be sent exactly so. */
  readonly headers: Readonly<Record<string, string>>;
  readonly expiresAt: Date;
}

/** Options of a presigned request. */
export interface PresignOptions {
  /** Exact body length; signed, so that the store refuses any other. */
  readonly sizeBytes: number;
  /** 1 to 604,800 (seven days, the limit of SigV4). */
  readonly expiresInSeconds: number;
}

/** Lets clients send bytes to the store without passing through the service. Makes no request. */
export interface ObjectPresigner {
  presignPut(key: string, options: PresignOptions): Promise<PresignedRequest>;
  /** The response to the client carries the part's `ETag`; `listParts` tells it too. */
  presignPart(
    upload: MultipartUpload,
    options: PresignOptions & { readonly partNumber: number },
  ): Promise<PresignedRequest>;
}

/** Tells whether the store can be used. */
export interface StoreProbe {
  /** Resolves when the store answers; rejects like any call, within a short time of its own. */
  ping(options?: CallOptions): Promise<void>;
}

/** Everything that an adapter offers. Features take the parts, only the composition root this. */
export interface ObjectStore
  extends
    ObjectReader,
    ObjectWriter,
    ObjectRemover,
    MultipartStore,
    ObjectLister,
    ObjectPresigner,
    ObjectTiering,
    BucketLifecycle,
    StoreProbe {
  /** Frees sockets and timers. The store must not be used afterwards. */
  close(): Promise<void>;
}
