import { Hono } from "hono";
import { createHash } from "node:crypto";
import { matchesIfNoneMatch } from "../conditional_requests.ts";
import type { HttpEnv } from "../http_env.ts";
import { buildOpenApiDocument } from "../openapi/build_document.ts";

/** An upgrade of the service may change the document. */
const CACHE_CONTROL = "public, max-age=300";

/** `/openapi.json`: the description of all routes. */
export function openApiRoutes(): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  let built: { readonly text: string; readonly etag: string } | undefined;
  routes.get("/openapi.json", (c) => {
    // Built when it is first asked for, since most instances never are.
    const { text, etag } = built ??= buildText();
    const ifNoneMatch = c.req.header("if-none-match");
    const headers = {
      etag,
      "cache-control": CACHE_CONTROL,
      "access-control-allow-origin": "*",
      "x-content-type-options": "nosniff",
    };
    if (ifNoneMatch !== undefined && matchesIfNoneMatch(ifNoneMatch, etag, { exists: true })) {
      return new Response(null, { status: 304, headers });
    }
    return c.body(text, 200, { ...headers, "content-type": "application/json" });
  });
  return routes;
}

function buildText(): { readonly text: string; readonly etag: string } {
  const text = JSON.stringify(buildOpenApiDocument());
  const digest = createHash("sha256").update(text).digest("base64url");
  return { text, etag: `"${digest.slice(0, 22)}"` };
}
