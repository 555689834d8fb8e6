import type { Context } from "hono";
import { AppError } from "../../errors.ts";
import type { AssetRecord } from "../../variants/ports.ts";
import type { OriginalService } from "../../variants/original_service.ts";
import { resolveByteRange } from "../byte_range.ts";
import { buildCacheHeaders } from "../caching.ts";
import { matchesIfMatch, matchesIfNoneMatch, matchesIfRange } from "../conditional_requests.ts";
import { CROSS_ORIGIN_HEADERS, EXPOSED_HEADERS } from "../delivery_headers.ts";
import {
  accessEndsInSeconds,
  authorizeDelivery,
  type DeliveryUrl,
  type SignaturePolicy,
} from "../delivery_request.ts";
import { buildDeliveryRoutes } from "../delivery_routes.ts";
import type { HttpEnv, HttpRoutes } from "../http_env.ts";
import { limitSilence } from "../limit_silence.ts";
import { buildOriginalHeaders, formatDigest } from "../original_headers.ts";

/** What the original routes are made of. */
export interface OriginalRoutesOptions {
  readonly service: OriginalService;
  readonly signatures: SignaturePolicy;
}

const PATTERN = "/:hash{[0-9A-Fa-f]{64}}";

/** Tag and cache namespace of originals, which no redeploy changes. */
const CACHE_ID = "originals";

/** Longest time that a client may take nothing of a body. Milliseconds. */
const READER_IDLE_MS = 30_000;

/** `GET|HEAD /{hash}`: the original, whole or one range of it. */
export function originalRoutes(options: OriginalRoutesOptions): HttpRoutes {
  return buildDeliveryRoutes(PATTERN, (c, url) => answer(c, url, options));
}

async function answer(
  c: Context<HttpEnv>,
  url: DeliveryUrl,
  options: OriginalRoutesOptions,
): Promise<Response> {
  const { service, signatures } = options;
  const access = authorizeDelivery(url, signatures);
  const record = await service.find(url.hash, { signed: access !== null });
  const etag = `"${url.hash}"`;
  const isPrivate = record.visibility === "private";
  const caching = {
    etag,
    ...buildCacheHeaders({
      hash: url.hash,
      cacheId: CACHE_ID,
      accessEndsInSeconds: accessEndsInSeconds(access, signatures, { isPrivate }),
    }),
    ...CROSS_ORIGIN_HEADERS,
    ...EXPOSED_HEADERS,
  };
  checkIfMatch(c, etag);
  const ifNoneMatch = c.req.header("if-none-match");
  if (ifNoneMatch !== undefined && matchesIfNoneMatch(ifNoneMatch, etag, { exists: true })) {
    return new Response(null, { status: 304, headers: caching });
  }
  const headers = { ...caching, ...buildOriginalHeaders(record) };
  return await sendBytes(c, { record, headers, etag }, service);
}

async function sendBytes(
  c: Context<HttpEnv>,
  reply: { record: AssetRecord; headers: Record<string, string>; etag: string },
  service: OriginalService,
): Promise<Response> {
  const { record, headers, etag } = reply;
  const { sizeBytes } = record;
  // RFC 9110 section 14.2: a Range of any other method than GET is ignored.
  const ranged = c.req.method === "GET" && matchesIfRange(c.req.header("if-range"), etag);
  const range = resolveByteRange(ranged ? c.req.header("range") : undefined, sizeBytes);
  if (range.kind === "unsatisfiable") {
    throw new AppError("range_not_satisfiable", "The range lies outside the asset", {
      responseHeaders: { "content-range": `bytes */${sizeBytes}`, "accept-ranges": "bytes" },
    });
  }
  const open = async (part: { start: number; end: number } | null) =>
    limitSilence(await service.open(record, part), {
      idleMs: READER_IDLE_MS,
      connection: c.env?.connection,
    });
  if (range.kind === "part") {
    const { start, end } = range;
    return new Response(await open({ start, end }), {
      status: 206,
      headers: {
        ...headers,
        "content-length": String(end - start + 1),
        "content-range": `bytes ${start}-${end}/${sizeBytes}`,
      },
    });
  }
  const whole = {
    ...headers,
    "content-length": String(sizeBytes),
    "content-digest": formatDigest(record.hash),
  };
  if (c.req.method === "HEAD") return new Response(null, { headers: whole });
  return new Response(await open(null), { headers: whole });
}

function checkIfMatch(c: Context<HttpEnv>, etag: string): void {
  const ifMatch = c.req.header("if-match");
  if (ifMatch === undefined || matchesIfMatch(ifMatch, etag)) return;
  throw new AppError("precondition_failed", "The asset is another one than expected");
}
