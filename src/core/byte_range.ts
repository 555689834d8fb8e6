import { AppError } from "../errors.ts";

/** A slice of an object. A length that reaches past the end is cut at the end. */
export interface ByteRange {
  /** First byte, from 0. At or past the end of the object: `range_not_satisfiable`. */
  readonly offsetBytes: number;
  /** At least 1. */
  readonly lengthBytes: number;
}

/**
 * Refuses what is no range.
 *
 * @throws {AppError} `invalid_request`.
 */
export function assertByteRange({ offsetBytes, lengthBytes }: ByteRange): void {
  const isWhole = Number.isSafeInteger(offsetBytes) && Number.isSafeInteger(lengthBytes);
  if (!isWhole || offsetBytes < 0 || lengthBytes < 1) {
    throw new AppError("invalid_request", "The byte range is not valid");
  }
}
