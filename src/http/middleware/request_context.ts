import type { MiddlewareHandler } from "hono";
import type { LogFields } from "../../telemetry/logger.ts";
import type { HttpEnv } from "../http_env.ts";

/** What a client may propose as request id: short, and safe in a header and in a log. */
const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/;

/** Receives one record for every answered request. */
export type AccessLog = (fields: LogFields) => void;

/** What the outermost middleware needs. */
export interface RequestContextOptions {
  readonly newId: () => string;
  /** Milliseconds from any fixed point. */
  readonly nowMs: () => number;
  /** Undefined switches the access log off. */
  readonly accessLog: AccessLog | undefined;
}

/**
 * Outermost middleware: gives the request an id and writes its access-log record.
 *
 * The query string is never logged: it may carry a signature.
 */
export function requestContext(options: RequestContextOptions): MiddlewareHandler<HttpEnv> {
  const { newId, nowMs, accessLog } = options;
  return async function requestContext(c, next) {
    const startedAt = nowMs();
    const proposed = c.req.header("x-request-id");
    const requestId = proposed !== undefined && REQUEST_ID.test(proposed) ? proposed : newId();
    c.set("requestId", requestId);
    await next();
    const { headers, status } = c.res;
    setHeader(c.res, "x-request-id", requestId, (response) => c.res = response);
    if (!accessLog) return;
    const principal = c.get("principal");
    accessLog({
      requestId,
      method: c.req.method,
      path: c.req.path,
      status,
      durationMs: Math.round((nowMs() - startedAt) * 100) / 100,
      bytes: Number(headers.get("content-length") ?? 0),
      ...(headers.has("x-cache") ? { cache: headers.get("x-cache") } : {}),
      ...(principal ? { tenant: principal.tenant, keyId: principal.keyId } : {}),
      ...c.get("logFields"),
    });
  };
}

/** Sets a header, on a copy when the response's own headers are immutable (fetched or error responses). */
function setHeader(
  response: Response,
  name: string,
  value: string,
  replace: (response: Response) => void,
): void {
  try {
    response.headers.set(name, value);
  } catch {
    const copy = new Response(response.body, response);
    copy.headers.set(name, value);
    replace(copy);
  }
}
