import type { Context } from "hono";
import {
  negotiateFormat,
  resolveVariantAlias,
  type VariantAlias,
} from "../../core/variant_alias.ts";
import { type SignedAccess, signPath } from "../../core/url_signature.ts";
import { checkAllowedVariant, formatVariantSpec } from "../../core/variant_spec.ts";
import type { OriginalService } from "../../variants/original_service.ts";
import type { VariantService } from "../../variants/variant_service.ts";
import { matchesIfNoneMatch } from "../conditional_requests.ts";
import { CROSS_ORIGIN_HEADERS } from "../delivery_headers.ts";
import { accessEndsInSeconds, type DeliveryUrl } from "../delivery_request.ts";
import { buildDeliveryRoutes } from "../delivery_routes.ts";
import type { HttpEnv, HttpRoutes } from "../http_env.ts";
import { replyWithVariant } from "../variant_reply.ts";
import { readVariantWish, type VariantPolicy } from "../variant_wish.ts";

/** What the variant routes are made of. */
export interface VariantRoutesOptions extends VariantPolicy {
  readonly service: VariantService;
  /** Tells what an `auto` URL needs to know of the asset. */
  readonly originals: Pick<OriginalService, "find">;
  /** Names what survives a redeploy together: changes with the renderer version. */
  readonly cacheId: string;
  /** Called before a render is begun for a client; throws `rate_limited` to refuse it. */
  readonly admitRender?: (c: Context<HttpEnv>) => void;
}

/** Any path below what looks like a hash, so that a wrong variant is told from a wrong route. */
const PATTERN = "/:hash{[0-9A-Fa-f]{64}}/:variant{.+}";

/**
 * `GET|HEAD /{hash}/{size}/{quality}.{format}`, and the aliases that lead there.
 *
 * `HEAD` of a variant that nobody has asked for yet renders it like `GET`, once: its headers are
 * then those of the `GET` that follows, which finds it in the cache.
 */
export function variantRoutes(options: VariantRoutesOptions): HttpRoutes {
  return buildDeliveryRoutes(PATTERN, (c, url) => answer(c, url, options));
}

async function answer(
  c: Context<HttpEnv>,
  url: DeliveryUrl,
  options: VariantRoutesOptions,
): Promise<Response> {
  const wish = readVariantWish(url, options);
  if ("alias" in wish) return await redirectToVariant(c, wish, options);
  const { access, spec } = wish;
  const { admitRender, signatures, cacheId } = options;
  const ifNoneMatch = c.req.header("if-none-match");
  const delivery = await options.service.deliver({
    hash: url.hash,
    spec,
    signed: access !== null,
    isCurrent: (etag, exists) =>
      ifNoneMatch !== undefined && matchesIfNoneMatch(ifNoneMatch, etag, { exists }),
    ...(admitRender ? { admit: () => admitRender(c) } : {}),
    signal: () => c.req.raw.signal,
  });
  return replyWithVariant(delivery, {
    hash: url.hash,
    cacheId,
    accessEndsInSeconds: accessEndsInSeconds(access, signatures, delivery),
    method: c.req.method,
    ifMatch: c.req.header("if-match"),
  });
}

async function redirectToVariant(
  c: Context<HttpEnv>,
  request: { url: DeliveryUrl; alias: VariantAlias; access: SignedAccess | null },
  options: VariantRoutesOptions,
): Promise<Response> {
  const { url: { hash }, alias, access } = request;
  const { formats } = options.allowList;
  const record = await options.originals.find(hash, { signed: access !== null });
  const format = alias.format ??
    negotiateFormat(c.req.header("accept") ?? "", { formats, hasAlpha: record.hasAlpha });
  const spec = resolveVariantAlias(alias, format);
  if (!access) checkAllowedVariant(spec, options.allowList);
  const path = `/${hash}/${formatVariantSpec(spec)}`;
  const { keys } = options.signatures;
  // Who may have the alias may have what it leads to, and for as long.
  const query = access && keys ? `?${signPath(path, { keys, ...access })}` : "";
  return new Response(null, {
    status: 302,
    headers: {
      location: path + query,
      // Private: a shared cache that does not vary on Accept would give one client's format to all.
      "cache-control": "private, max-age=300",
      ...(alias.format === null ? { vary: "Accept" } : {}),
      ...CROSS_ORIGIN_HEADERS,
    },
  });
}
