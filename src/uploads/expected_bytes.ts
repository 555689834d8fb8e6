import { Buffer } from "node:buffer";
import type { ContentHash } from "../core/content_hash.ts";
import { AppError } from "../errors.ts";
import type { UploadRequest } from "./ports.ts";

/**
 * Checks the SHA-256 that was computed against everything that the client said of it.
 *
 * @throws {AppError} `digest_mismatch`.
 */
export function checkExpectedBytes(
  contentHash: ContentHash,
  expected: Pick<UploadRequest, "expectedHash" | "expectedSha256Digests">,
): void {
  const { expectedHash, expectedSha256Digests = [] } = expected;
  if (expectedHash !== undefined && expectedHash !== contentHash) {
    throw mismatch("The body does not have the declared hash", contentHash);
  }
  const actual = Buffer.from(contentHash, "hex");
  if (expectedSha256Digests.some((digest) => !actual.equals(digest))) {
    throw mismatch(
      "The body does not have the digest of its Content-Digest or Repr-Digest",
      contentHash,
    );
  }
}

/** The hash is of the client's own bytes, so telling it gives nothing away. */
function mismatch(detail: string, contentHash: ContentHash): AppError {
  return new AppError("digest_mismatch", detail, { extensions: { actualHash: contentHash } });
}
