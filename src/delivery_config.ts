import { parseSigningKeys, type SigningKeys } from "./core/url_signature.ts";
import { parseVariantPresets, type VariantPresets } from "./core/variant_alias.ts";
import type { EnvReader } from "./env_reader.ts";

/** Who may have which variant, and what stands in front of the service. */
export interface DeliveryConfig {
  /** Keys of signed URLs; null when none are configured. */
  readonly signingKeys: SigningKeys | null;
  readonly requireSignatures: boolean;
  readonly presets: VariantPresets;
  /** New variants that one client address may cause per minute; 0 = no limit. */
  readonly rendersPerMinute: number;
  /** The zone in front of the service; null when there is none. */
  readonly cloudflare: { readonly zoneId: string; readonly apiToken: string } | null;
}

/** Reads how variants and originals are delivered. */
export function readDelivery(env: EnvReader): DeliveryConfig {
  const signingKeys = env.parsed("FACET_SIGNING_KEYS", parseSigningKeys, { secret: true });
  const requireSignatures = env.flag("REQUIRE_SIGNATURES", false);
  if (requireSignatures && signingKeys === undefined) {
    env.problems.push("FACET_SIGNING_KEYS is required when REQUIRE_SIGNATURES is on");
  }
  return {
    signingKeys: signingKeys ?? null,
    requireSignatures,
    presets: env.parsed("VARIANT_PRESETS", parseVariantPresets) ?? new Map(),
    rendersPerMinute: env.integer("RENDER_BUDGET", 1_200, { min: 0, max: 1_000_000 }),
    cloudflare: readCloudflare(env),
  };
}

function readCloudflare(env: EnvReader) {
  const zoneId = env.optional("CLOUDFLARE_ZONE_ID");
  const apiToken = env.optional("CLOUDFLARE_API_TOKEN", { secret: true });
  if ((zoneId === undefined) !== (apiToken === undefined)) {
    env.problems.push("CLOUDFLARE_ZONE_ID and CLOUDFLARE_API_TOKEN belong together");
  }
  if (zoneId !== undefined && !/^[0-9a-f]{32}$/.test(zoneId)) {
    env.problems.push("CLOUDFLARE_ZONE_ID must be 32 hexadecimal digits");
  }
  return zoneId !== undefined && apiToken !== undefined ? { zoneId, apiToken } : null;
}
