/**
 * How a variant is identified: in caches, and to clients by its entity tag.
 *
 * @module
 */
import { formatVariantSpec, type VariantSpec } from "../core/variant_spec.ts";
import { MAX_EDGE_PIXELS, MAX_QUALITY } from "../core/variant_spec.ts";
import type { ContentHash } from "../core/content_hash.ts";
import { CENTRE, type RenderSpec } from "../image/render_spec.ts";
import type { AssetRecord, VariantKey } from "./ports.ts";

/** What of an asset decides the pixels of a variant and who may have them. */
export type KeyFacts = Pick<AssetRecord, "focus" | "visibility">;

/** The facts of an asset nobody changed: centred and public. */
export const PLAIN_FACTS: KeyFacts = { focus: null, visibility: "public" };

/**
 * Builds the cache key of a variant.
 *
 * PNG is lossless, so every quality of it is one entry. The focal point takes part where it moves
 * the crop, which is what makes a change of it a change of key. A private asset has other keys than
 * a public one: an entry found without asking the catalog is then known to be public.
 */
export function buildVariantKey(
  hash: ContentHash,
  spec: VariantSpec,
  facts: KeyFacts = PLAIN_FACTS,
): VariantKey {
  const quality = spec.format === "png" ? MAX_QUALITY : spec.quality;
  const focus = spec.fit === "cover" ? facts.focus : null;
  return {
    hash,
    variant: formatVariantSpec({ ...spec, quality }) + (focus ? `@${formatFocus(focus)}` : "") +
      (facts.visibility === "private" ? "!private" : ""),
  };
}

/**
 * Builds the strong entity tag of a variant (RFC 9110 section 8.8.3): from its key and the renderer
 * version, never from the bytes, so that it is known before there are any.
 *
 * @param rendererVersion Letters, digits, `.`, `_` and `-` only.
 */
export function buildVariantEtag(key: VariantKey, rendererVersion: string): string {
  return `"${key.hash.slice(0, 16)}-${key.variant}-${rendererVersion}"`;
}

/** The names of a variant. */
export interface VariantNames {
  /** The part of its URL after the hash. */
  readonly spelling: string;
  readonly key: VariantKey;
  readonly etag: string;
}

/** Builds all names of a variant. */
export function buildVariantNames(
  variant: { readonly hash: ContentHash; readonly spec: VariantSpec },
  { facts, rendererVersion }: { readonly facts: KeyFacts; readonly rendererVersion: string },
): VariantNames {
  const key = buildVariantKey(variant.hash, variant.spec, facts);
  return {
    spelling: formatVariantSpec(variant.spec),
    key,
    etag: buildVariantEtag(key, rendererVersion),
  };
}

/** Tells the renderer what to make of an asset with this focal point. */
export function buildRenderSpec(spec: VariantSpec, facts: KeyFacts): RenderSpec {
  const quality = spec.format === "png" ? MAX_QUALITY : spec.quality;
  const { width, height, format } = spec;
  // A one-sided size is a box whose other edge is the hard limit: a very long picture comes out
  // smaller rather than without bound.
  return {
    width: width ?? MAX_EDGE_PIXELS,
    height: height ?? MAX_EDGE_PIXELS,
    fit: spec.fit === "width" || spec.fit === "height" ? "inside" : spec.fit,
    focal: (spec.fit === "cover" ? facts.focus : null) ?? CENTRE,
    quality,
    format,
  };
}

/** Thousandths: finer than a pixel of any crop, and the same text for the same stored point. */
function formatFocus(focus: { readonly x: number; readonly y: number }): string {
  return `${Math.round(focus.x * 1000)}-${Math.round(focus.y * 1000)}`;
}
