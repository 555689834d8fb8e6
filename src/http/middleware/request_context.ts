import type { MiddlewareHandler } from "hono";
import type { LogFields } from "../../telemetry/logger.ts";
import type { HttpEnv } from "../http_env.ts";

/** What a client may propose as request id: short, and safe in a header and in a log. */
const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/;

/** Receives one record for every answered request. */
export type AccessLog = (fields: LogFields) => void;

/** What is known of a request once it is answered. */
export interface AnsweredRequest {
  /** What kind of resource it was for; low-cardinality, unlike the path. */
  readonly route: RouteGroup;
  readonly status: number;
  /** Length of the body as announced; 0 for bodies of unknown length, and for `HEAD`. */
  readonly bytes: number;
}

/** The kinds of resources that requests are counted by. */
export type RouteGroup = "variant" | "original" | "upload" | "api" | "admin" | "health" | "other";

/** What the outermost middleware needs. */
export interface RequestContextOptions {
  readonly newId: () => string;
  /** Milliseconds from any fixed point. */
  readonly nowMs: () => number;
  /** Undefined switches the access log off. */
  readonly accessLog: AccessLog | undefined;
  /** Is told of every answer, for metrics. */
  readonly onAnswered?: ((answer: AnsweredRequest) => void) | undefined;
}

/** The id that a client proposes, where it is a safe one, or a new one. */
export function chooseRequestId(proposed: string | null | undefined, newId: () => string): string {
  return isRequestId(proposed) ? proposed : newId();
}

/** Whether a client may name its request so. */
export function isRequestId(proposed: string | null | undefined): proposed is string {
  return typeof proposed === "string" && REQUEST_ID.test(proposed);
}

/** Rounds a time for the access log. Milliseconds. */
export function roundDuration(durationMs: number): number {
  return Math.round(durationMs * 100) / 100;
}

/**
 * Outermost middleware: gives the request an id and writes its access-log record.
 *
 * The query string is never logged: it may carry a signature.
 */
export function requestContext(options: RequestContextOptions): MiddlewareHandler<HttpEnv> {
  const { newId, nowMs, accessLog, onAnswered } = options;
  return async function requestContext(c, next) {
    const startedAt = nowMs();
    const requestId = chooseRequestId(c.req.header("x-request-id"), newId);
    c.set("requestId", requestId);
    await next();
    const { headers, status } = c.res;
    setHeader(c.res, "x-request-id", requestId, (response) => c.res = response);
    const bytes = Number(headers.get("content-length") ?? 0);
    onAnswered?.({
      route: groupRoute(c.req.path),
      status,
      bytes: c.req.method === "HEAD" ? 0 : bytes,
    });
    if (!accessLog) return;
    const principal = c.get("principal");
    accessLog({
      requestId,
      method: c.req.method,
      path: c.req.path,
      status,
      durationMs: roundDuration(nowMs() - startedAt),
      bytes,
      ...(headers.has("x-cache") ? { cache: headers.get("x-cache") } : {}),
      ...(principal ? { tenant: principal.tenant, keyId: principal.keyId } : {}),
      ...c.get("logFields"),
    });
  };
}

/** Tells what kind of resource a path names. */
export function groupRoute(path: string): RouteGroup {
  if (path.startsWith("/v1/uploads")) return "upload";
  if (path.startsWith("/v1/admin")) return "admin";
  if (path.startsWith("/v1/")) return "api";
  if (/^\/(healthz|readyz|metrics)$/.test(path)) return "health";
  // A hash has 64 digits; what follows it names a variant.
  if (path.length >= 65 && path.indexOf("/", 1) === 65) return "variant";
  return path.length === 65 ? "original" : "other";
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
