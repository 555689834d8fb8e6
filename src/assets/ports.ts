/**
 * Assets as their owners see them, and what this feature needs from outside.
 *
 * @module
 */
import type { AssetState } from "../core/asset_state.ts";
import type { ContentHash } from "../core/content_hash.ts";

/** One tenant's reference to content, with what is known of the content. */
export interface Asset {
  /** The reference (UUID). */
  readonly assetId: string;
  readonly contentHash: ContentHash;
  readonly sizeBytes: number;
  /** Sniffed from the bytes. */
  readonly mediaType: string;
  readonly state: AssetState;
  /** What a viewer sees: orientation applied. Pixels; null for what is no image. */
  readonly width: number | null;
  readonly height: number | null;
  /** EXIF orientation, 1 to 8. */
  readonly orientation: number | null;
  readonly frames: number | null;
  readonly bitDepth: number | null;
  readonly colorModel: string | null;
  readonly hasAlpha: boolean | null;
  readonly iccName: string | null;
  /** A blurred placeholder (ThumbHash); null while it is not made yet. */
  readonly thumbHash: Uint8Array | null;
  /** `#rrggbb`. */
  readonly dominantColor: string | null;
  readonly fileName: string | null;
  readonly visibility: "public" | "private";
  readonly createdAt: Date;
}

/** Names an asset: by the tenant's reference, or by its content. */
export type AssetSelector =
  | { readonly by: "id"; readonly id: string }
  | { readonly by: "hash"; readonly hash: ContentHash };

/** Which assets a list holds. Null is any. */
export interface ListFilter {
  readonly state: AssetState | null;
  /** A media type `image/png`, or all of a kind `image/*`. Lower case. */
  readonly mime: string | null;
}

/** A place in the list, which is ordered from the newest reference to the oldest. */
export interface ListPosition {
  /** When the reference was made: microseconds since the Unix epoch. */
  readonly createdAtUs: number;
  readonly assetId: string;
}

/** A stretch of the list. */
export interface ListStretch {
  /** At most `limit` matching assets, newest first, each with its place. */
  readonly found: readonly { readonly asset: Asset; readonly position: ListPosition }[];
  /** Up to where there is nothing more to find; null when the list ends with this stretch. */
  readonly doneUntil: ListPosition | null;
}

/** Reads assets. Another tenant's are not there. */
export interface AssetDirectory {
  find(tenant: string, selector: AssetSelector): Promise<Asset | null>;
  /** Looks at no more than `lookAt` references after the place `after`. */
  list(
    tenant: string,
    options: {
      readonly filter: ListFilter;
      readonly after: ListPosition | null;
      readonly limit: number;
      readonly lookAt: number;
    },
  ): Promise<ListStretch>;
}

/** What the removal of a reference did. */
export interface RemovedReference {
  readonly contentHash: ContentHash;
  /** Whether it was the last one, so that the content is now DELETED. */
  readonly contentDeleted: boolean;
}

/** Removes references. */
export interface ReferenceRemover {
  /**
   * Removes the tenant's reference. With the last one, in the same transaction, the content becomes
   * DELETED and what is to be purged is written down; content that is just being uploaded is left to
   * its upload, or to the sweep. Returns null when the tenant has no such reference.
   */
  remove(
    tenant: string,
    selector: AssetSelector,
    options: { readonly actor: string },
  ): Promise<RemovedReference | null>;
}

/** Rows of DELETED content whose bytes are still there. Time is the database's. */
export interface DeletedContent {
  /**
   * Takes the DELETED row for `leaseMs`, during which no upload may reopen it.
   *
   * - `taken`: the bytes may be removed.
   * - `nothing`: there is nothing to remove: the content was uploaded again, or is gone already.
   * - `busy`: another attempt has the lease.
   */
  begin(
    hash: ContentHash,
    options: { readonly attemptId: string; readonly leaseMs: number },
  ): Promise<"taken" | "nothing" | "busy">;
  /** Records that the bytes are gone and gives the row free; false when the lease was lost. */
  finish(hash: ContentHash, attemptId: string): Promise<boolean>;
}
