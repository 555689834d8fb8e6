import { AppError } from "../errors.ts";
import type { VariantDelivery, VariantEntry } from "../variants/variant_request.ts";
import { buildCacheHeaders, type CacheScope } from "./caching.ts";
import { matchesIfMatch } from "./conditional_requests.ts";
import { CROSS_ORIGIN_HEADERS, formatServerTiming } from "./delivery_headers.ts";

/** What a reply depends on besides the variant. */
export interface VariantReplyScope extends CacheScope {
  readonly method: string;
  /** The header of the request. */
  readonly ifMatch: string | null | undefined;
}

/** Replies of warm variants, which are the same each time. */
const replies = new WeakMap<VariantEntry, Response>();

/**
 * Builds the reply to a request for a variant: the one place that decides on its headers.
 *
 * The reply to a warm variant is a copy of the first one: the runtime checks the headers of a new
 * response one by one and duplicates its body, which costs more than all the rest of a warm hit.
 *
 * @throws {AppError} `precondition_failed`.
 */
export function replyWithVariant(delivery: VariantDelivery, scope: VariantReplyScope): Response {
  const repeats = delivery.kind === "variant" && delivery.tier === "MEMORY" &&
    scope.accessEndsInSeconds === null && scope.method === "GET" && !scope.ifMatch;
  if (!repeats) return buildReply(delivery, scope);
  let reply = replies.get(delivery.entry);
  if (!reply) replies.set(delivery.entry, reply = buildReply(delivery, scope));
  return reply.clone();
}

function buildReply(delivery: VariantDelivery, scope: VariantReplyScope): Response {
  const caching = buildCacheHeaders(scope);
  if (delivery.kind === "not_modified") {
    const headers = { etag: delivery.etag, ...caching, ...CROSS_ORIGIN_HEADERS };
    return new Response(null, { status: 304, headers });
  }
  const { entry, tier, lock, stages } = delivery;
  if (typeof scope.ifMatch === "string" && !matchesIfMatch(scope.ifMatch, entry.etag)) {
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
  return new Response(scope.method === "HEAD" ? null : entry.bytes, { headers });
}
