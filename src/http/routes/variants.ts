import type { Context } from "hono";
import {
  negotiateFormat,
  parseVariantAlias,
  resolveVariantAlias,
  type VariantAlias,
  type VariantPresets,
} from "../../core/variant_alias.ts";
import { type SignedAccess, signPath } from "../../core/url_signature.ts";
import {
  checkAllowedVariant,
  formatVariantSpec,
  parseVariantSpec,
  type VariantAllowList,
  type VariantSpec,
} from "../../core/variant_spec.ts";
import { AppError } from "../../errors.ts";
import type { OriginalService } from "../../variants/original_service.ts";
import type { VariantDelivery, VariantEntry } from "../../variants/variant_request.ts";
import type { VariantService } from "../../variants/variant_service.ts";
import { buildCacheHeaders } from "../caching.ts";
import { matchesIfMatch, matchesIfNoneMatch } from "../conditional_requests.ts";
import { CROSS_ORIGIN_HEADERS, formatServerTiming } from "../delivery_headers.ts";
import {
  accessEndsInSeconds,
  authorizeDelivery,
  type DeliveryUrl,
  type SignaturePolicy,
} from "../delivery_request.ts";
import { buildDeliveryRoutes } from "../delivery_routes.ts";
import type { HttpEnv, HttpRoutes } from "../http_env.ts";

/** What the variant routes are made of. */
export interface VariantRoutesOptions {
  readonly service: VariantService;
  /** Tells what an `auto` URL needs to know of the asset. */
  readonly originals: Pick<OriginalService, "find">;
  /** Includes the presets' variants, or presets lead to URLs that are refused. */
  readonly allowList: VariantAllowList;
  readonly presets: VariantPresets;
  readonly signatures: SignaturePolicy;
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
  const alias = parseVariantAlias(url.rest, options.presets);
  const access = authorizeDelivery(url, options.signatures);
  if (alias) return await redirectToVariant(c, { url, alias, access }, options);
  const spec = parseVariantSpec(url.rest, options.allowList.formats);
  if (!access) checkAllowedVariant(spec, options.allowList);
  return await answerVariant(c, { url, spec, access }, options);
}

async function answerVariant(
  c: Context<HttpEnv>,
  request: { url: DeliveryUrl; spec: VariantSpec; access: SignedAccess | null },
  options: VariantRoutesOptions,
): Promise<Response> {
  const { url: { hash }, spec, access } = request;
  const { admitRender } = options;
  const ifNoneMatch = c.req.header("if-none-match");
  const delivery = await options.service.deliver({
    hash,
    spec,
    signed: access !== null,
    isCurrent: (etag, exists) =>
      ifNoneMatch !== undefined && matchesIfNoneMatch(ifNoneMatch, etag, { exists }),
    ...(admitRender ? { admit: () => admitRender(c) } : {}),
    signal: () => c.req.raw.signal,
  });
  const { isPrivate } = delivery;
  const seconds = accessEndsInSeconds(access, options.signatures, { isPrivate });
  const build = () => {
    const caching = { hash, cacheId: options.cacheId, accessEndsInSeconds: seconds };
    return buildVariantResponse(c, delivery, buildCacheHeaders(caching));
  };
  const repeats = delivery.kind === "variant" && delivery.tier === "MEMORY" && seconds === null &&
    c.req.method === "GET" && c.req.header("if-match") === undefined;
  return repeats ? copyReply(delivery.entry, build) : build();
}

/** Replies of warm variants, which are the same each time. */
const replies = new WeakMap<VariantEntry, Response>();

/**
 * A copy of the reply to a warm variant. Copying costs a tenth of checking seventeen headers anew,
 * which would be most of the work of a warm hit.
 */
function copyReply(entry: VariantEntry, build: () => Response): Response {
  let reply = replies.get(entry);
  if (!reply) replies.set(entry, reply = build());
  return reply.clone();
}

function buildVariantResponse(
  c: Context<HttpEnv>,
  delivery: VariantDelivery,
  caching: Record<string, string>,
): Response {
  if (delivery.kind === "not_modified") {
    const headers = { etag: delivery.etag, ...caching, ...CROSS_ORIGIN_HEADERS };
    return new Response(null, { status: 304, headers });
  }
  const { entry, tier, lock, stages } = delivery;
  const ifMatch = c.req.header("if-match");
  if (ifMatch !== undefined && !matchesIfMatch(ifMatch, entry.etag)) {
    throw new AppError("precondition_failed", "The variant is another one than expected");
  }
  const headers: Record<string, string> = {
    "content-type": entry.mediaType,
    "content-length": String(entry.bytes.byteLength),
    etag: entry.etag,
    ...caching,
    ...CROSS_ORIGIN_HEADERS,
    "x-content-type-options": "nosniff",
    "x-cache": tier,
    "x-cache-lock": lock,
    "server-timing": formatServerTiming(stages) || "memory;dur=0",
  };
  return new Response(c.req.method === "HEAD" ? null : entry.bytes, { headers });
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
