import assert from "node:assert/strict";
import { AppError } from "../../../src/errors.ts";
import {
  parseByteCount,
  parseUploadChecksum,
  parseUploadMetadata,
} from "../../../src/http/tus_headers.ts";

function refuses(work: () => unknown, message: string): void {
  assert.throws(
    work,
    (error) => error instanceof AppError && error.kind === "invalid",
    message,
  );
}

Deno.test("parseByteCount() takes whole numbers of bytes only", () => {
  assert.equal(parseByteCount("Upload-Length", "0"), 0);
  assert.equal(parseByteCount("Upload-Length", "5497558138880"), 5497558138880);
  for (const bad of [undefined, "", "-1", "1.5", "1e3", " 1", "0x10", "9".repeat(16)]) {
    refuses(() => parseByteCount("Upload-Length", bad), String(bad));
  }
});

// The example of the protocol, section Upload-Metadata.
Deno.test("parseUploadMetadata() reads the protocol's example", () => {
  const raw = "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential";
  const { fileName, rawMetadata, claimedType, expectedHash } = parseUploadMetadata(raw);
  assert.equal(fileName, "world_domination_plan.pdf");
  assert.equal(rawMetadata, raw);
  assert.deepEqual([claimedType, expectedHash], [null, null]);
  assert.equal(parseUploadMetadata(undefined).fileName, null);
});

Deno.test("parseUploadMetadata() refuses pairs that are malformed", () => {
  const hash = btoa("A".repeat(64));
  for (
    const bad of ["a b c", "a %", "a YQ", "a YQ==,a YQ==", `sha256 ${hash}`, "a ".repeat(3000)]
  ) {
    refuses(() => parseUploadMetadata(bad), bad.slice(0, 30));
  }
});

Deno.test("parseUploadChecksum() reads the announced algorithms", () => {
  const { algorithm, digest } = parseUploadChecksum("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=") ?? {};
  assert.equal(algorithm, "sha1");
  assert.equal(digest?.byteLength, 20);
  assert.equal(parseUploadChecksum(undefined), undefined);
  for (const bad of ["", "sha1", "md5 AAAA", "sha256 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "sha1 a b"]) {
    refuses(() => parseUploadChecksum(bad), bad);
  }
});
