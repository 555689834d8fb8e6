import type { ContentHash } from "../core/content_hash.ts";
import { enumerateAliases, type VariantPresets } from "../core/variant_alias.ts";
import {
  enumerateVariants,
  formatVariantSpec,
  type VariantAllowList,
  type VariantFit,
} from "../core/variant_spec.ts";
import type { AssetRecord, VariantCache } from "./ports.ts";
import { buildVariantKey } from "./variant_key.ts";
import type { VariantService } from "./variant_service.ts";

/** What deliveries of a variant have added up to. */
export interface VariantUsage {
  readonly hits: number;
  readonly bytes: number;
}

/** Knows how often variants were delivered. */
export interface VariantLedger {
  /** Usage by the variant's spelling; a variant that was never delivered is absent. */
  find(hash: ContentHash): Promise<ReadonlyMap<string, VariantUsage>>;
}

/** One variant of an asset. */
export interface ListedVariant {
  /** The path of its URL. */
  readonly path: string;
  readonly fit: VariantFit;
  readonly width: number | null;
  readonly height: number | null;
  readonly quality: number;
  readonly format: string;
  /** Whether some cache, or the ledger, knows it. */
  readonly rendered: boolean;
  /** Its size; null when it was not rendered. */
  readonly bytes: number | null;
  readonly hits: number;
}

/** A URL that leads to a variant by a redirect. */
export interface ListedAlias {
  /** The path of its URL. */
  readonly path: string;
  /** The preset that it names; null when it names a size. */
  readonly preset: string | null;
  readonly fit: VariantFit;
  readonly width: number | null;
  readonly height: number | null;
  readonly quality: number;
  /** `auto` where the client's `Accept` decides. */
  readonly format: string;
}

/** Lists every alias that leads to a variant without a signature. */
export function listAliases(
  hash: ContentHash,
  options: { readonly allowList: VariantAllowList; readonly presets: VariantPresets },
): ListedAlias[] {
  const aliases = enumerateAliases(options.allowList, options.presets);
  return Array.from(aliases, ({ name, preset, fit, width, height, quality, format }) => ({
    path: `/${hash}/${name}`,
    preset,
    fit,
    width,
    height,
    quality,
    format: format ?? "auto",
  }));
}

/** Where the list is put together from. */
export interface ListVariantsOptions {
  readonly allowList: VariantAllowList;
  readonly service: Pick<VariantService, "peekBytes">;
  readonly cache: Pick<VariantCache, "list"> | null;
  readonly ledger: VariantLedger | null;
}

/** Lists every variant that an asset may be asked for without a signature. */
export async function listVariants(
  record: AssetRecord,
  options: ListVariantsOptions,
): Promise<ListedVariant[]> {
  const { allowList, service, cache, ledger } = options;
  const [shared, usage] = await Promise.all([
    cache?.list(record.hash),
    ledger?.find(record.hash),
  ]);
  return Array.from(enumerateVariants(allowList), (spec) => {
    const name = formatVariantSpec(spec);
    const key = buildVariantKey(record.hash, spec, record);
    const used = usage?.get(name);
    const bytes = service.peekBytes(key) ?? shared?.get(key.variant) ?? used?.bytes ?? null;
    return {
      path: `/${record.hash}/${name}`,
      ...spec,
      rendered: bytes !== null,
      bytes,
      hits: used?.hits ?? 0,
    };
  });
}
