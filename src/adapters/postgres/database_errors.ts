import { AppError } from "../../errors.ts";

/** SQLSTATE codes that callers and the retry rules name (PostgreSQL appendix A). */
export const SQLSTATE = {
  serializationFailure: "40001",
  deadlockDetected: "40P01",
  lockNotAvailable: "55P03",
  uniqueViolation: "23505",
  queryCanceled: "57014",
  readOnlyTransaction: "25006",
  undefinedTable: "42P01",
} as const;

/** Codes of the driver and of the operating system that mean: there is no connection. */
const LOST_CODES: ReadonlySet<string> = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
  "CONNECTION_ENDED",
  "CONNECT_TIMEOUT",
  "EAI_AGAIN",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT", // a Unix socket that is not there
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
  "57P01", // admin_shutdown
  "57P02", // crash_shutdown
  "57P03", // cannot_connect_now
  "57P05", // idle_session_timeout
  "25P03", // idle_in_transaction_session_timeout
]);

/** Classes and codes that mean: the server is there, but cannot do this now. */
const UNAVAILABLE = /^(?:08|28|3D|53|57014$|25006$|40001$|40P01$|55P03$|58030$)/;

/** Classes that only the bytes of a request can cause: text that is no UTF-8, or holds NUL. */
const BAD_TEXT = /^(?:22021|22P05)$/;

/** The SQLSTATE or system code of a failure; empty when it has none. */
export function sqlStateOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  const code = (error as { code?: unknown }).code;
  if (typeof code === "string") return code;
  // A host name with several addresses fails with one error per address.
  if (error instanceof AggregateError && error.errors.length > 0) {
    return sqlStateOf(error.errors[0]);
  }
  return "";
}

/** Whether the connection is gone, so that its session must not be used again. */
export function isConnectionLost(error: unknown): boolean {
  const code = sqlStateOf(error);
  return LOST_CODES.has(code) || code.startsWith("08");
}

/** Whether `error` is a violation of the named unique constraint (any, when none is named). */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (sqlStateOf(error) !== SQLSTATE.uniqueViolation) return false;
  return constraint === undefined ||
    (error as { constraint_name?: string }).constraint_name === constraint;
}

/**
 * Turns a failure of the driver or the server into one of ours.
 *
 * Decided by SQLSTATE and system code only, never by message text. What is neither the server's
 * condition nor a client's bytes (a constraint, a syntax error) stays as it is: to expect a
 * violation is its caller's business, and an unexpected one is a bug.
 */
export function toCatalogError(error: unknown): unknown {
  if (error instanceof AppError) return error;
  const code = sqlStateOf(error);
  if (isConnectionLost(error)) {
    return new AppError("catalog_unavailable", "The catalog cannot be reached at the moment", {
      cause: error,
      retryAfterSeconds: 2,
    });
  }
  if (code === SQLSTATE.readOnlyTransaction) {
    return new AppError("catalog_unavailable", "The catalog is read-only at the moment", {
      cause: error,
      retryAfterSeconds: 10,
    });
  }
  if (code === SQLSTATE.undefinedTable) {
    return new AppError("catalog_unavailable", "The catalog is not set up: run the migrations", {
      cause: error,
      retryAfterSeconds: 10,
    });
  }
  if (UNAVAILABLE.test(code)) {
    return new AppError("catalog_unavailable", "The catalog is too busy at the moment", {
      cause: error,
      retryAfterSeconds: 1,
    });
  }
  if (BAD_TEXT.test(code)) {
    return new AppError("invalid_request", "Text must be valid Unicode without NUL", {
      cause: error,
    });
  }
  return error;
}
