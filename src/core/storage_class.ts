/**
 * Where a bucket keeps its objects, and how they age: the part of the object store's port that only
 * reconciliation and the lifecycle jobs use. The rules of `object_store.ts` hold here too.
 *
 * @module
 */

/**
 * Where an object's bytes are kept. `infrequent` is dearer to read but readable at once; `archive`
 * must be restored before it can be read. Adapters map their vendor's names onto these three.
 */
export type StorageClass = "standard" | "infrequent" | "archive";

/** The state of bringing an archived object back. */
export interface RestoreState {
  /** True while the store is still thawing the bytes. */
  readonly ongoing: boolean;
  /** When the readable copy goes away again, or null when unknown. */
  readonly expiresAt: Date | null;
}

/** Whether `get` would send bytes now: false for an archived object that is not restored. */
export function isReadable(head: {
  readonly storageClass: StorageClass;
  readonly restore: RestoreState | null;
}): boolean {
  if (head.storageClass !== "archive") return true;
  return head.restore !== null && !head.restore.ongoing;
}

/** Moves objects between storage classes. */
export interface ObjectTiering {
  /** Changes the class in place. False when there is no such object. May reset `lastModifiedAt`. */
  setStorageClass(
    key: string,
    to: StorageClass,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<boolean>;
  /**
   * Asks for a readable copy of an archived object for `days`; calling again is harmless. An object
   * that is readable anyway answers `{ ongoing: false, expiresAt: null }`. Null when absent.
   */
  restore(
    key: string,
    options: { readonly days: number; readonly signal?: AbortSignal | undefined },
  ): Promise<RestoreState | null>;
}

/** One rule of a bucket's lifecycle. Days count from the object's creation. */
export interface LifecycleRule {
  readonly id: string;
  /** Keys that the rule is for; empty means all. */
  readonly prefix: string;
  readonly transitions: readonly { readonly afterDays: number; readonly to: StorageClass }[];
  /** Remove objects after so many days, or null. */
  readonly expireAfterDays: number | null;
  /** Abort multipart uploads left open for so many days, or null. */
  readonly abortMultipartAfterDays: number | null;
  /** Set on rules read from the store that say more than this type can; writing drops the rest. */
  readonly isPartial?: boolean | undefined;
  /** Set on rules that the store keeps but does not act upon. */
  readonly isDisabled?: boolean | undefined;
}

/** The store's own rules for ageing objects. */
export interface BucketLifecycle {
  /** The rules in force, or null when the store keeps none. */
  getLifecycle(
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<LifecycleRule[] | null>;
  /** Replaces all rules; an empty list removes them. */
  putLifecycle(
    rules: readonly LifecycleRule[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<void>;
}
