import type { Handler, Hono } from "hono";
import { AppError } from "../errors.ts";
import type { HttpEnv } from "./http_env.ts";

/** In the order in which `Allow` names them. */
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/**
 * Makes every resource of an application answer the methods that it has no handler for: `OPTIONS`
 * with 204, all else with 405, both with `Allow` (RFC 9110 sections 9.3.7 and 15.5.6).
 *
 * `Allow` is derived from the routes that are there, so call it when all of them are: the routes of
 * one resource may come from several groups, of which none knows the others.
 */
export function answerOtherMethods(app: Hono<HttpEnv>): void {
  for (const [path, allow] of listAllowedMethods(app)) app.all(path, otherMethod(allow.join(", ")));
}

/** The methods of every resource of an application, by one of the patterns of its path. */
export function listAllowedMethods(
  app: Pick<Hono<HttpEnv>, "routes">,
): ReadonlyMap<string, readonly string[]> {
  const resources = new Map<string, { readonly path: string; readonly methods: Set<string> }>();
  for (const { path, method } of app.routes) {
    if (!METHODS.some((each) => each === method)) continue;
    const shape = nameless(path);
    const resource = resources.get(shape) ?? { path, methods: new Set(["OPTIONS"]) };
    resources.set(shape, resource);
    resource.methods.add(method);
    // Hono answers HEAD by the handler of GET.
    if (method === "GET") resource.methods.add("HEAD");
  }
  return new Map(
    [...resources.values()].map(({ path, methods }) =>
      [path, METHODS.filter((each) => methods.has(each))] as const
    ),
  );
}

/** Groups name the parameters of the same path as they like. */
function nameless(path: string): string {
  return path.replace(/:\w+/g, ":");
}

function otherMethod(allow: string): Handler<HttpEnv> {
  return function otherMethod(c) {
    if (c.req.method === "OPTIONS") {
      return new Response(null, { status: 204, headers: { allow, "cache-control": "no-store" } });
    }
    throw new AppError("method_not_allowed", `This resource answers ${allow}`, {
      responseHeaders: { allow },
    });
  };
}
