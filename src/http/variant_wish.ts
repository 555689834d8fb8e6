import type { SignedAccess } from "../core/url_signature.ts";
import {
  parseVariantAlias,
  type VariantAlias,
  type VariantPresets,
} from "../core/variant_alias.ts";
import {
  checkAllowedVariant,
  parseVariantSpec,
  type VariantAllowList,
  type VariantSpec,
} from "../core/variant_spec.ts";
import { authorizeDelivery, type DeliveryUrl, type SignaturePolicy } from "./delivery_request.ts";

/** What decides what a variant URL stands for, and who may have it. */
export interface VariantPolicy {
  /** Includes the presets' variants, or presets lead to URLs that are refused. */
  readonly allowList: VariantAllowList;
  readonly presets: VariantPresets;
  readonly signatures: SignaturePolicy;
}

/** What a URL asks for; `access` is null without a signature. */
export type VariantWish =
  & { readonly url: DeliveryUrl; readonly access: SignedAccess | null }
  & ({ readonly spec: VariantSpec } | { readonly alias: VariantAlias });

/**
 * Reads what a URL asks for, and lets it pass when its sender may ask for it.
 *
 * @throws {AppError} `malformed_variant`, `variant_out_of_range`, `variant_not_allowed`, and as
 * {@linkcode authorizeDelivery}.
 */
export function readVariantWish(url: DeliveryUrl, policy: VariantPolicy): VariantWish {
  const alias = parseVariantAlias(url.rest, policy.presets);
  const access = authorizeDelivery(url, policy.signatures);
  if (alias) return { url, access, alias };
  const spec = parseVariantSpec(url.rest, policy.allowList.formats);
  if (!access) checkAllowedVariant(spec, policy.allowList);
  return { url, access, spec };
}
