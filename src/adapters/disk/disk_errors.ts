import { AppError } from "../../errors.ts";

/** Seconds after which a full table of open files is likely to have drained. */
const RETRY_AFTER_SECONDS = 2;

/** Whether the operating system says that the file (or a folder on its path) is not there. */
export function isNotFound(error: unknown): boolean {
  // A path through a file (`a/b` where `a` is an object) names nothing either.
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}

/**
 * Maps what the file system threw to the port's errors. Errors that are no operating system errors
 * (an abort's reason, an AppError) pass unchanged.
 */
export function toDiskError(error: unknown): unknown {
  if (error instanceof AppError || !(error instanceof Error)) return error;
  const code = "code" in error ? error.code : undefined;
  if (typeof code !== "string" || !/^E[A-Z0-9]+$/.test(code)) return error;
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return new AppError("storage_full", "The object store is full", { cause: error });
    case "EMFILE":
    case "ENFILE":
    case "EAGAIN":
    case "EBUSY":
      return new AppError("storage_unavailable", "The object store is busy", {
        cause: error,
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    case "ENAMETOOLONG":
      return new AppError("invalid_request", "The object key is too long", { cause: error });
    default:
      return new AppError("storage_error", "The object store failed", { cause: error });
  }
}

/** Runs `work` and maps what it throws. */
export async function withDiskErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toDiskError(error);
  }
}
