import type { ContentHash } from "../core/content_hash.ts";
import type { VariantSpec } from "../core/variant_spec.ts";
import type { CachedVariant } from "./ports.ts";
import type { VariantNames } from "./variant_key.ts";

/** One request for a variant, already parsed and authorised. */
export interface VariantRequest {
  readonly hash: ContentHash;
  readonly spec: VariantSpec;
  /** What the variant is called while nothing of its asset was changed, if that is known already. */
  readonly names?: VariantNames;
  /** Whether the URL carried a valid signature. */
  readonly signed: boolean;
  /**
   * Whether the client has the representation with this entity tag (`If-None-Match`); `exists` says
   * whether it is known that there is one.
   */
  readonly isCurrent: (etag: string, exists: boolean) => boolean;
  /** Called before a render is begun for this client; throws `rate_limited` to refuse it. */
  readonly admit?: () => void;
  /** Aborts when the client has gone. Only asked for when there is something to wait for. */
  readonly signal?: () => AbortSignal;
}

/** A variant in memory, with what every reply repeats. */
export interface VariantEntry extends CachedVariant {
  readonly etag: string;
}

/** The answer to a {@linkcode VariantRequest}. */
export type VariantDelivery =
  | { readonly kind: "not_modified"; readonly etag: string; readonly isPrivate: boolean }
  | {
    readonly kind: "variant";
    readonly entry: VariantEntry;
    readonly isPrivate: boolean;
    readonly tier: "MEMORY" | "KV" | "MISS";
    /** Whether this request rendered, waited for one that did, or neither. */
    readonly lock: "leader" | "waited" | "none";
    /** Milliseconds by stage. */
    readonly stages: Readonly<Record<string, number>>;
  };
