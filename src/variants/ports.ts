/**
 * What the delivery of variants and originals needs from the outside.
 *
 * @module
 */
import type { AssetState } from "../core/asset_state.ts";
import type { ContentHash } from "../core/content_hash.ts";
import type { RenderSpec } from "../image/render_spec.ts";

/** A finished variant. */
export interface RenderedImage {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly mediaType: string;
  readonly width: number;
  readonly height: number;
  /** Milliseconds by stage (`queue`, `decode`, `resample`, `encode`, …), for `Server-Timing`. */
  readonly stages: Readonly<Record<string, number>>;
}

/** Turns source bytes into a variant, off the main thread, within budgets of time and megapixels. */
export interface ImageRenderer {
  /**
   * Renders upright, with the colour profile and without any other metadata. Enlarges a picture
   * that is too small for its box, so that sizes follow from the URL.
   *
   * The caller must not use `source` afterwards: it may be transferred to another thread.
   *
   * @throws {AppError} `not_an_image`, `unsupported_image`, `image_undecodable`, `image_truncated`,
   * `image_too_large`, `image_budget_exceeded`, `render_queue_full`, `render_timeout`; the abort
   * reason when `signal` aborts.
   */
  render(
    source: Uint8Array<ArrayBuffer>,
    spec: RenderSpec,
    options: { readonly signal: AbortSignal },
  ): Promise<RenderedImage>;
}

/** The facts of a stored asset that delivery decides with. */
export interface AssetRecord {
  readonly hash: ContentHash;
  readonly state: AssetState;
  readonly sizeBytes: number;
  /** As sniffed from the bytes; null until it is known. */
  readonly mediaType: string | null;
  /** Size of the upright picture; null for what is not an image. */
  readonly width: number | null;
  readonly height: number | null;
  readonly hasAlpha: boolean;
  /** Point of interest, 0 to 1; null = the centre. */
  readonly focus: { readonly x: number; readonly y: number } | null;
  readonly visibility: "public" | "private";
  /** Why the asset must not be served although it is READY (such as `size_mismatch`), or null. */
  readonly flagged: string | null;
  /** Set while an archived object is being restored. */
  readonly restoreRequestedAt: Date | null;
  /** The name under which it was uploaded; null when none was given or tenants differ in it. */
  readonly fileName: string | null;
}

/** Looks assets up in the catalog. */
export interface AssetLookup {
  /**
   * Finds the content with this hash by one query; null when the hash is unknown.
   *
   * @throws {AppError} `catalog_unavailable`.
   */
  find(hash: ContentHash): Promise<AssetRecord | null>;
}

/** Records that a READY asset's object was not there when it was wanted. */
export interface MissingReporter {
  /** Guarded READY → MISSING; harmless when another writer was first. */
  reportMissing(hash: ContentHash): Promise<void>;
}

/** The bytes of an original, or of a part of one, as a stream. */
export interface OriginalBody {
  readonly body: ReadableStream<Uint8Array>;
  /** Bytes that `body` will give: the object's size, or the range's. */
  readonly lengthBytes: number;
  /** Size of the whole object. */
  readonly sizeBytes: number;
}

/** Reads originals from the object store. */
export interface OriginalReader {
  /**
   * Opens the original, or the bytes `start` to `end` (inclusive) of it. Null when there is no such
   * object.
   *
   * @throws {AppError} `asset_archived` (the object is in a class that cannot be read at once),
   * `storage_unavailable`, `storage_error`, `storage_timeout`.
   */
  open(
    hash: ContentHash,
    options: {
      readonly range?: { readonly start: number; readonly end: number };
      readonly signal?: AbortSignal;
    },
  ): Promise<OriginalBody | null>;
}

/** Names one variant of one asset in caches. */
export interface VariantKey {
  readonly hash: ContentHash;
  /** The spec, and what of the asset changes its pixels or its audience; see `variant_key.ts`. */
  readonly variant: string;
}

/** What a cache keeps of a variant. */
export interface CachedVariant {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly mediaType: string;
  readonly width: number;
  readonly height: number;
}

/**
 * A cache shared by instances. It never throws and never keeps a caller waiting for longer than its
 * own time limit: a cache that fails looks like an empty one.
 */
export interface VariantCache {
  /**
   * The entry, checked for length and digest; null when there is none that is whole.
   *
   * @param options.patient Wait longer than usual: another instance has just put it there.
   */
  get(key: VariantKey, options?: { readonly patient?: boolean }): Promise<CachedVariant | null>;
  /**
   * Keeps a variant, at once and as a whole. With a lease, only while that lease is held: a renderer
   * that was taken for dead must not write behind its successor's back.
   *
   * @returns False when it could not, or when the entry is over the size limit.
   */
  put(key: VariantKey, variant: CachedVariant, lease: HeldLease | null): Promise<boolean>;
  /** Sizes of an asset's variants of this renderer version, by `VariantKey.variant`. */
  list(hash: ContentHash): Promise<ReadonlyMap<string, number>>;
  /** Removes every variant of an asset, of every renderer version. Throws when it could not. */
  purge(hash: ContentHash): Promise<number>;
}

/** The right to render one variant, for a while. */
export interface HeldLease {
  /** Grows with every holder of the same key. */
  readonly token: bigint;
  /** Prolongs the lease; false when it was lost to another holder. */
  renew(): Promise<boolean>;
  /** Gives the lease up and wakes those who wait. Never throws. */
  release(): Promise<void>;
}

/** Chooses one renderer among all instances. */
export interface RenderLease {
  /**
   * Takes the lease; null while another instance holds it. A failing lease service gives a lease
   * that protects nothing: rendering twice is better than not at all.
   */
  acquire(key: VariantKey): Promise<HeldLease | null>;
  /** Resolves when the holder has gone or `timeoutMs` has passed, whichever is first. */
  waitForRelease(
    key: VariantKey,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<void>;
}

/** How a reply was come by. */
export type DeliveryTier = "MEMORY" | "KV" | "MISS" | "ORIGIN" | "NOT_MODIFIED";

/** Counts deliveries; implementations batch, and never throw. */
export interface AccessRecorder {
  record(access: {
    readonly hash: ContentHash;
    /** The variant's spelling; null for the original. */
    readonly variant: string | null;
    readonly tier: DeliveryTier;
    readonly bytes: number;
    /** Compute time, when this delivery rendered the variant; null when it did not. Milliseconds. */
    readonly renderMs: number | null;
  }): void;
}

/** Is told how delivery does, for metrics. Must not throw. */
export interface DeliveryObserver {
  /** A variant was looked for; `tier` is where it was found, null when it has to be rendered. */
  cacheLookedUp(tier: "MEMORY" | "KV" | null): void;
  /** A variant was rendered: milliseconds in all, reading the source included. */
  rendered(computeMs: number, stages: Readonly<Record<string, number>>): void;
  /** A cache or lease operation failed, was too slow, or was skipped because others had failed. */
  cacheFailed(
    operation: "get" | "put" | "lease" | "purge" | "watch",
    cause: "error" | "timeout" | "circuit_open" | "corrupt",
  ): void;
}

/** Tells every instance to forget what it holds of an asset. */
export interface PurgeBus {
  /** @throws when the message could not be handed over. */
  publish(hash: ContentHash): Promise<void>;
  /**
   * Calls `listener` for messages of every instance, this one included, until disposed; with null
   * when messages were missed, so that everything has to be forgotten.
   */
  subscribe(listener: (hash: ContentHash | null) => void): AsyncDisposable;
}
