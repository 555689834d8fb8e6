/**
 * Every key that Facet uses in Deno KV, in one place.
 *
 * @module
 */
import type { VariantKey } from "../../variants/ports.ts";

/** Chunks of one variant. With the hash first, one prefix is all that was made of an asset. */
export function variantKey(key: VariantKey, rendererVersion: string): Deno.KvKey {
  return ["facet", "variant", key.hash, rendererVersion, key.variant];
}

/** Every variant of an asset, of every renderer version. */
export function variantPrefix(hash: string): Deno.KvKey {
  return ["facet", "variant", hash];
}

/** Who renders a variant. */
export function leaseKey(key: VariantKey, rendererVersion: string): Deno.KvKey {
  return ["facet", "lease", key.hash, rendererVersion, key.variant];
}

/** Changes with every purge of an asset: what was rendered from before it must not be kept. */
export function purgeMarkerKey(hash: string): Deno.KvKey {
  return ["facet", "purged", hash];
}

/** The latest purges, for instances to follow. */
export const PURGE_LOG_KEY: Deno.KvKey = ["facet", "purges"];
