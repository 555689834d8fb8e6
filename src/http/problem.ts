/**
 * The one place where a failure becomes an HTTP answer: RFC 9457 problem documents.
 *
 * @module
 */
import { AppError, type ErrorKind } from "../errors.ts";

const STATUS: Readonly<Record<ErrorKind, readonly [status: number, title: string]>> = {
  invalid: [400, "Bad Request"],
  unauthorized: [401, "Unauthorized"],
  forbidden: [403, "Forbidden"],
  not_found: [404, "Not Found"],
  method_not_allowed: [405, "Method Not Allowed"],
  client_timeout: [408, "Request Timeout"],
  conflict: [409, "Conflict"],
  gone: [410, "Gone"],
  precondition: [412, "Precondition Failed"],
  too_large: [413, "Content Too Large"],
  unsupported: [415, "Unsupported Media Type"],
  range: [416, "Range Not Satisfiable"],
  undecodable: [422, "Unprocessable Content"],
  rate_limited: [429, "Too Many Requests"],
  headers_too_large: [431, "Request Header Fields Too Large"],
  checksum: [460, "Checksum Mismatch"],
  aborted: [499, "Client Closed Request"],
  internal: [500, "Internal Server Error"],
  upstream: [502, "Bad Gateway"],
  overloaded: [503, "Service Unavailable"],
  unavailable: [503, "Service Unavailable"],
  timeout: [504, "Gateway Timeout"],
  storage_full: [507, "Insufficient Storage"],
};

/** Seconds after which a client should retry when the error itself does not say. */
const DEFAULT_RETRY_AFTER_SECONDS: Partial<Record<ErrorKind, number>> = {
  rate_limited: 1,
  overloaded: 1,
  unavailable: 5,
};

/** Kinds that mean we, or something we depend on, failed: logged as errors and alerted on. */
const REPORTED: ReadonlySet<ErrorKind> = new Set(["internal", "upstream", "timeout"]);

/** The HTTP status of a kind of failure. */
export function statusOf(kind: ErrorKind): number {
  return STATUS[kind][0];
}

/** Whether a failure of this kind is ours to look at, rather than the client's. */
export function isReported(kind: ErrorKind): boolean {
  return REPORTED.has(kind);
}

/** Wraps anything thrown into an {@linkcode AppError}; what is not ours becomes a bare 500. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError("internal_error", "Something went wrong on our side", { cause: error });
}

/** What a problem answer needs to know about the request. */
export interface ProblemContext {
  /** The request id, echoed as `instance` so that a report can be matched with the log. */
  readonly requestId: string;
  /** `HEAD` requests get the headers only. */
  readonly method?: string;
}

/** The members of a problem document about a failure (RFC 9457 section 3). */
export function describeProblem(error: AppError): Record<string, unknown> {
  const [status, title] = STATUS[error.kind];
  return {
    type: `urn:facet:problem:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    ...error.extensions,
  };
}

/**
 * Builds the `application/problem+json` answer to a failure (RFC 9457).
 *
 * `Cache-Control` is `no-store` unless the error's `responseHeaders` say otherwise. Shows the public sentence and the stable code only: causes and stacks stay in the log.
 */
export function buildProblemResponse(error: AppError, context: ProblemContext): Response {
  const status = statusOf(error.kind);
  // As one plain object: the runtime is several times slower with headers that are set one by one.
  const headers: Record<string, string> = {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "access-control-allow-origin": "*",
    "x-request-id": context.requestId,
    ...error.responseHeaders,
  };
  const retryAfter = error.retryAfterSeconds ?? DEFAULT_RETRY_AFTER_SECONDS[error.kind];
  if (retryAfter !== undefined) headers["retry-after"] = String(Math.ceil(retryAfter));
  // RFC 9110 section 11.6.1: a 401 must say how to authenticate; 403 for a missing scope may.
  if (status === 401) headers["www-authenticate"] = 'Bearer realm="facet"';
  if (error.code === "missing_scope") {
    headers["www-authenticate"] = 'Bearer realm="facet", error="insufficient_scope"';
  }
  const body = JSON.stringify({
    ...describeProblem(error),
    instance: `urn:facet:request:${context.requestId}`,
  });
  return new Response(context.method === "HEAD" ? null : body, { status, headers });
}
