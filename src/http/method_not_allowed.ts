import type { Handler } from "hono";
import { AppError } from "../errors.ts";
import type { HttpEnv } from "./http_env.ts";

/**
 * A handler for every other method of a route: 405 with `Allow` (RFC 9110 section 15.5.6).
 *
 * @param methods The methods the route does answer, e.g. `["GET", "HEAD"]`.
 */
export function methodNotAllowed(methods: readonly string[]): Handler<HttpEnv> {
  const allow = methods.join(", ");
  return function methodNotAllowed() {
    throw new AppError("method_not_allowed", `This resource answers ${allow}`, {
      responseHeaders: { allow },
    });
  };
}
