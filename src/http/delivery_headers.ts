import type { Handler } from "hono";
import type { HttpEnv } from "./http_env.ts";

/** The methods of delivery routes. */
const DELIVERY_METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS"];

/** What pages of any origin may do with a delivery: embed it, read it, and time it. */
export const CROSS_ORIGIN_HEADERS: Readonly<Record<string, string>> = {
  "access-control-allow-origin": "*",
  "cross-origin-resource-policy": "cross-origin",
  "timing-allow-origin": "*",
};

/** What scripts of any origin may read of an original besides: what players need to seek. */
export const EXPOSED_HEADERS: Readonly<Record<string, string>> = {
  "access-control-expose-headers":
    "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Repr-Digest",
};

/** Answers `OPTIONS`, preflights included (Fetch standard, CORS protocol). */
export function deliveryOptions(): Handler<HttpEnv> {
  const allow = DELIVERY_METHODS.join(", ");
  return function deliveryOptions() {
    return new Response(null, {
      status: 204,
      headers: {
        allow,
        "access-control-allow-origin": "*",
        "access-control-allow-methods": allow,
        "access-control-allow-headers": "If-Match, If-None-Match, If-Range, Range, X-Request-Id",
        "access-control-max-age": "86400",
        "cache-control": "no-store",
      },
    });
  };
}

/** Formats milliseconds by stage as `Server-Timing` (W3C Server Timing). */
export function formatServerTiming(stages: Readonly<Record<string, number>>): string {
  return Object.entries(stages)
    .map(([name, durationMs]) => `${name};dur=${durationMs.toFixed(2)}`).join(", ");
}
