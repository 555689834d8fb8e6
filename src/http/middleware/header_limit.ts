import type { MiddlewareHandler } from "hono";
import { AppError } from "../../errors.ts";
import type { HttpEnv } from "../http_env.ts";

/** Bytes of all header fields of a request together, where nothing else is asked for. */
export const DEFAULT_MAX_HEADER_BYTES: number = 32 * 1024;

/** What stands around a field on the wire: colon, space, CR, LF. */
const FIELD_OVERHEAD_BYTES = 4;

/**
 * Middleware that refuses requests that change something and whose header fields are too large
 * (RFC 6585 section 5). The runtime has bounds of its own, which differ between its versions; reads
 * are left to them, since counting would cost every cache hit.
 *
 * @throws {AppError} `headers_too_large`.
 */
export function limitHeaders(
  maxBytes: number = DEFAULT_MAX_HEADER_BYTES,
): MiddlewareHandler<HttpEnv> {
  return async function limitHeaders(c, next) {
    if (c.req.method !== "GET" && c.req.method !== "HEAD") {
      let bytes = 0;
      for (const [name, value] of c.req.raw.headers) {
        bytes += name.length + value.length + FIELD_OVERHEAD_BYTES;
      }
      if (bytes > maxBytes) {
        throw new AppError("headers_too_large", `Header fields may take up to ${maxBytes} bytes`, {
          extensions: { limitBytes: maxBytes },
        });
      }
    }
    await next();
  };
}
