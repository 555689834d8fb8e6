import { type Context, Hono } from "hono";
import { toDeliveryError } from "./caching.ts";
import { deliveryOptions } from "./delivery_headers.ts";
import { type DeliveryUrl, parseDeliveryUrl } from "./delivery_request.ts";
import type { HttpEnv, HttpRoutes } from "./http_env.ts";

/** Answers `GET` and `HEAD` of one delivery. */
export type DeliveryAnswer = (c: Context<HttpEnv>, url: DeliveryUrl) => Promise<Response>;

/**
 * The routes of one kind of delivery: `GET` and `HEAD` by `answer`, failures with the lifetime that
 * deliveries give them, and `OPTIONS`.
 *
 * @param pattern Hono's pattern of the path.
 */
export function buildDeliveryRoutes(pattern: string, answer: DeliveryAnswer): HttpRoutes {
  const routes = new Hono<HttpEnv>();
  routes.get(pattern, async (c) => {
    let url: DeliveryUrl | null = null;
    try {
      url = parseDeliveryUrl(c.req.url);
      return await answer(c, url);
    } catch (thrown) {
      throw toDeliveryError(thrown, {
        isAborted: () => c.req.raw.signal.aborted,
        hash: url?.hash ?? null,
      });
    }
  });
  routes.options(pattern, deliveryOptions());
  return routes;
}
