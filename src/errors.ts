/**
 * The closed list of things that can go wrong.
 *
 * Every failure that a client may see is an {@linkcode AppError} with a `code` from
 * {@linkcode ERROR_CODES}. The code fixes the *kind*; `http/problem.ts` is the only place that
 * turns a kind into an HTTP status. Metrics and logs label failures by kind, so the list is short.
 *
 * @module
 */

/** What sort of failure it is. Each kind has exactly one HTTP status (see `http/problem.ts`). */
export type ErrorKind =
  | "invalid" // 400: the request is malformed
  | "unauthorized" // 401: no or bad credentials
  | "forbidden" // 403: known caller or well-formed URL, but not allowed
  | "not_found" // 404
  | "method_not_allowed" // 405
  | "conflict" // 409: the state of the asset does not allow it
  | "gone" // 410: deleted
  | "precondition" // 412
  | "too_large" // 413
  | "headers_too_large" // 431
  | "unsupported" // 415: not a type we handle
  | "range" // 416
  | "undecodable" // 422: right type, but the bytes are broken, hostile or do not match
  | "rate_limited" // 429
  | "checksum" // 460: a chunk differs from its checksum (tus 1.0)
  | "overloaded" // 503 + Retry-After: we are busy
  | "unavailable" // 503 + Retry-After: something we depend on is down
  | "upstream" // 502: something we depend on answered wrongly
  | "timeout" // 504
  | "client_timeout" // 408: the client was too slow
  | "storage_full" // 507
  | "aborted" // 499: the client went away (logged only)
  | "internal"; // 500: a bug

/** Every stable error code of the API, and the kind it belongs to. */
export const ERROR_CODES = {
  malformed_variant: "invalid",
  variant_out_of_range: "invalid",
  invalid_hash: "invalid",
  invalid_id: "invalid",
  invalid_request: "invalid",
  invalid_header: "invalid",
  invalid_cursor: "invalid",
  empty_body: "invalid",
  incomplete_body: "invalid",
  malformed_form: "invalid",
  unauthorized: "unauthorized",
  missing_scope: "forbidden",
  variant_not_allowed: "forbidden",
  signature_required: "forbidden",
  invalid_signature: "forbidden",
  expired_signature: "forbidden",
  route_not_found: "not_found",
  asset_not_found: "not_found",
  asset_missing: "not_found",
  upload_not_found: "not_found",
  run_not_found: "not_found",
  method_not_allowed: "method_not_allowed",
  asset_archived: "conflict",
  asset_not_ready: "conflict",
  state_conflict: "conflict",
  upload_offset_conflict: "conflict",
  upload_incomplete: "conflict",
  asset_deleted: "gone",
  upload_expired: "gone",
  unsupported_tus_version: "precondition",
  precondition_failed: "precondition",
  body_too_large: "too_large",
  form_limit_exceeded: "too_large",
  headers_too_large: "headers_too_large",
  not_an_image: "unsupported",
  unsupported_image: "unsupported",
  unsupported_encoding: "unsupported",
  unsupported_content_type: "unsupported",
  range_not_satisfiable: "range",
  image_undecodable: "undecodable",
  image_truncated: "undecodable",
  image_too_large: "undecodable",
  image_budget_exceeded: "undecodable",
  digest_mismatch: "undecodable",
  checksum_mismatch: "checksum",
  rate_limited: "rate_limited",
  concurrent_uploads_exceeded: "rate_limited",
  daily_bytes_exceeded: "rate_limited",
  render_queue_full: "overloaded",
  upload_queue_full: "overloaded",
  shutting_down: "overloaded",
  catalog_unavailable: "unavailable",
  storage_unavailable: "unavailable",
  storage_error: "upstream",
  object_mismatch: "upstream",
  render_timeout: "timeout",
  storage_timeout: "unavailable",
  body_timeout: "client_timeout",
  storage_full: "storage_full",
  client_closed_request: "aborted",
  internal_error: "internal",
} as const satisfies Record<string, ErrorKind>;

/** A stable, documented error code. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** What an {@linkcode AppError} may carry besides its code and its public sentence. */
export interface AppErrorOptions {
  /** The underlying error: logged, never shown to a client. */
  cause?: unknown;
  /** Seconds after which a retry makes sense, sent as `Retry-After`. A positive integer. */
  retryAfterSeconds?: number;
  /** Extra members of the problem document (RFC 9457 section 3.2). Public. */
  extensions?: Record<string, unknown>;
  /** Headers that the answer must carry, such as `Allow` with 405. Lower-case names. */
  responseHeaders?: Record<string, string>;
}

/** A failure with a stable code and a sentence that is safe to show to a client. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly retryAfterSeconds: number | undefined;
  readonly extensions: Record<string, unknown> | undefined;
  readonly responseHeaders: Record<string, string> | undefined;

  /**
   * @param code Stable code; fixes the kind and so the HTTP status.
   * @param detail A public sentence: no internals, no paths, no SQL, no full stop needed.
   */
  constructor(code: ErrorCode, detail: string, options: AppErrorOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.kind = ERROR_CODES[code];
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.extensions = options.extensions;
    this.responseHeaders = options.responseHeaders;
  }

  /**
   * The same failure with these headers instead of its own. It shares everything else with this
   * one: another stack trace would cost more than answering the request.
   */
  withHeaders(responseHeaders: Record<string, string>): AppError {
    return Object.create(this, { responseHeaders: { value: responseHeaders, enumerable: true } });
  }
}

/** Whether `error` is an {@linkcode AppError} with this code. */
export function hasCode(error: unknown, code: ErrorCode): error is AppError {
  return error instanceof AppError && error.code === code;
}
