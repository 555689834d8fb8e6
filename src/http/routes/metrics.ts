import { Hono } from "hono";
import type { HttpEnv } from "../http_env.ts";

/** The content type of the Prometheus text exposition format, version 0.0.4. */
const PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8";

/** `/metrics`: the instruments as Prometheus text; a comment when the runtime exports them itself. */
export function metricsRoutes(options: {
  readonly serialize: () => Promise<string | null>;
}): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  routes.get("/metrics", async (c) => {
    const text = await options.serialize() ?? "# exported by the runtime through OTLP\n";
    return c.body(text, 200, { "content-type": PROMETHEUS_TEXT, "cache-control": "no-store" });
  });
  return routes;
}
