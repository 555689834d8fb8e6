import { AppError, type ErrorCode } from "../../errors.ts";

/** Seconds after which a throttled or restarting store is worth another try. */
const RETRY_AFTER_SECONDS = 5;
const MAX_RETRY_AFTER_SECONDS = 60;

/** What the SDK's exceptions carry. Matching is by code and status, never by message. */
interface SdkFailure {
  readonly name: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: {
    readonly statusCode?: number;
    readonly headers?: Record<string, string>;
  };
}

/** Codes that tell more than the status they come with. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  InvalidObjectState: "asset_archived",
  ObjectNotInActiveTierError: "asset_archived",
  InvalidRange: "range_not_satisfiable",
  BadDigest: "object_mismatch",
  InvalidDigest: "object_mismatch",
  XAmzContentSHA256Mismatch: "object_mismatch",
  NoSuchUpload: "object_mismatch",
  InvalidPart: "object_mismatch",
  InvalidPartOrder: "object_mismatch",
  EntityTooSmall: "object_mismatch",
  EntityTooLarge: "object_mismatch",
  IncompleteBody: "storage_unavailable",
  QuotaExceeded: "storage_full",
  XMinioStorageFull: "storage_full",
  // Our clock or theirs is wrong: nothing about the object is known.
  RequestTimeTooSkewed: "storage_unavailable",
  RequestTimeout: "storage_unavailable",
  SlowDown: "storage_unavailable",
  ServiceUnavailable: "storage_unavailable",
  InternalError: "storage_unavailable",
  OperationAborted: "storage_unavailable",
  ConditionalRequestConflict: "storage_unavailable",
};

const DETAILS: Partial<Record<ErrorCode, string>> = {
  asset_archived: "The object is archived and must be restored first",
  range_not_satisfiable: "The range begins past the end of the object",
  object_mismatch: "The object store does not hold what was declared",
  storage_full: "The object store is full",
  storage_unavailable: "The object store is unavailable",
  storage_timeout: "The object store did not answer in time",
};

/**
 * Maps what a call to the SDK threw. The cause is kept, so that {@linkcode hasS3Code} and
 * {@linkcode hasS3Status} can tell cases that callers expect, such as a missing object.
 */
export function toS3Error(cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  const failure = toFailure(cause);
  if (failure === null) {
    return new AppError("storage_error", "The object store failed", { cause });
  }
  const status = toStatus(failure);
  const code = CODES[failure.name] ?? toCode(status, cause);
  const detail = DETAILS[code] ?? "The object store refused the request";
  if (code !== "storage_unavailable") return new AppError(code, detail, { cause });
  return new AppError(code, detail, { cause, retryAfterSeconds: toRetryAfterSeconds(failure) });
}

/** Whether the store answered with this code, such as `NoSuchUpload`. */
export function hasS3Code(error: unknown, ...names: string[]): boolean {
  const failure = error instanceof AppError ? toFailure(error.cause) : null;
  return failure !== null && names.includes(failure.name);
}

/** Whether the store answered with this HTTP status. */
export function hasS3Status(error: unknown, status: number): boolean {
  const failure = error instanceof AppError ? toFailure(error.cause) : null;
  return failure !== null && toStatus(failure) === status;
}

/** Whether there is no such object. A missing bucket is a fault, not an absent object. */
export function isMissingObject(error: unknown): boolean {
  return hasS3Status(error, 404) && !hasS3Code(error, "NoSuchBucket", "NoSuchUpload");
}

/** Whether a multipart upload was completed or aborted. Ceph's `ListParts` says `NoSuchKey` then. */
export function isGoneUpload(error: unknown): boolean {
  return hasS3Status(error, 404) && !hasS3Code(error, "NoSuchBucket");
}

function toCode(status: number | undefined, cause: unknown): ErrorCode {
  // Without a status there was no answer: refused, reset, no such host.
  if (status === undefined) {
    return cause instanceof TypeError ? "storage_unavailable" : "storage_error";
  }
  if (status === 416) return "range_not_satisfiable";
  if (status === 507) return "storage_full";
  if (status === 501) return "storage_error";
  if (status === 408 || status === 409 || status === 429 || status >= 500) {
    return "storage_unavailable";
  }
  return "storage_error";
}

function toStatus(failure: SdkFailure): number | undefined {
  return failure.$metadata?.httpStatusCode ?? failure.$response?.statusCode;
}

/** The store's own wish where it is sensible (RFC 9110 section 10.2.3, seconds only). */
function toRetryAfterSeconds(failure: SdkFailure): number {
  const wished = Number(failure.$response?.headers?.["retry-after"]);
  if (!Number.isInteger(wished) || wished < 1) return RETRY_AFTER_SECONDS;
  return Math.min(wished, MAX_RETRY_AFTER_SECONDS);
}

function toFailure(error: unknown): SdkFailure | null {
  return error instanceof Error ? error : null;
}
