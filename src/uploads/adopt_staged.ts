import { createHash } from "node:crypto";
import { parseContentHash } from "../core/content_hash.ts";
import { sanitizeFileName } from "../core/file_name.ts";
import { formatStagingKey } from "../core/object_keys.ts";
import { AppError, type ErrorCode } from "../errors.ts";
import { toAbortError } from "./body_reader.ts";
import { retryCatalog } from "./catalog_retry.ts";
import { checkExpectedBytes } from "./expected_bytes.ts";
import { startHeartbeat } from "./heartbeat.ts";
import type { StagedUpload, UploadResult } from "./ports.ts";
import type { PendingContent, Promoter } from "./promote.ts";
import { copyStaged, removeStaged, type StagingDeps } from "./staging.ts";
import { createStoredSource } from "./stored_source.ts";

/** What adoption needs. */
export interface AdoptDeps extends StagingDeps {
  readonly promoter: Promoter;
  readonly maxBytes: number;
}

/** Failures that are the bytes' own: trying again cannot help. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  "body_too_large",
  "digest_mismatch",
  "empty_body",
  "incomplete_body",
]);

/** The key of the copy that clients cannot write to. The sweep knows it too. */
export function formatSealedKey(sessionId: string): string {
  return formatStagingKey(`${sessionId}-sealed`);
}

/** Makes an asset of bytes that already lie in the store. See `Ingest.adoptStaged`. */
export async function adoptStaged(deps: AdoptDeps, upload: StagedUpload): Promise<UploadResult> {
  const fileName = sanitizeFileName(upload.fileName);
  const { sessionId } = upload;
  if (!await retryCatalog(() => deps.sessions.beginCompletion(sessionId, deps.sessionLeaseMs))) {
    throw new AppError("state_conflict", "The upload is finished, or is being finished right now");
  }
  using heart = startHeartbeat(
    () =>
      deps.sessions.renew(sessionId, {
        leaseMs: deps.sessionLeaseMs,
        receivedBytes: upload.sizeBytes,
        multipartId: null,
      }),
    { leaseMs: deps.sessionLeaseMs, lossDetail: "The upload was given up" },
  );
  try {
    const content = await proveStaged(deps, { upload, signal: heart.signal });
    const result = await deps.promoter.promote(content, {
      ...upload,
      fileName,
      visibility: upload.visibility ?? null,
    });
    const hash = content.contentHash;
    await retryCatalog(() => deps.sessions.end(sessionId, { state: "done", hash }));
    await deps.onStep("session_done");
    await tidyUp(deps, upload);
    return result;
  } catch (error) {
    await endFailed(deps, upload, error);
    throw error;
  }
}

/** Finds out what the staged bytes are, by reading all of them. */
async function proveStaged(
  deps: AdoptDeps,
  work: { readonly upload: StagedUpload; readonly signal: AbortSignal },
): Promise<PendingContent> {
  const { upload, signal } = work;
  await checkSize(deps, work);
  const key = upload.clientCanWrite ? formatSealedKey(upload.sessionId) : upload.stagingKey;
  if (upload.clientCanWrite) {
    await copyStaged(deps.objects, { from: upload.stagingKey, to: key, signal });
    await deps.onStep("sealed");
  }
  const { sha256Hex, sizeBytes } = await hashObject(deps, {
    key,
    signal: AbortSignal.any([signal, upload.signal]),
  });
  if (sizeBytes !== upload.sizeBytes) throw wrongSize(sizeBytes, upload.sizeBytes);
  const contentHash = parseContentHash(sha256Hex);
  checkExpectedBytes(contentHash, upload);
  await deps.onStep("body_received");
  return {
    contentHash,
    sizeBytes,
    claimedType: upload.claimedType,
    store: (to, storeSignal) => copyStaged(deps.objects, { from: key, to, signal: storeSignal }),
    openSource: (from, readSignal) =>
      createStoredSource(deps.objects, { key: from, sizeBytes, signal: readSignal }),
  };
}

async function checkSize(
  deps: AdoptDeps,
  work: { readonly upload: StagedUpload; readonly signal: AbortSignal },
): Promise<void> {
  const { upload, signal } = work;
  const head = await deps.objects.head(upload.stagingKey, { signal });
  if (head === null) throw new AppError("asset_not_found", "Nothing has been uploaded yet");
  if (head.sizeBytes > deps.maxBytes) {
    throw new AppError(
      "body_too_large",
      `The upload is larger than the limit of ${deps.maxBytes} bytes`,
    );
  }
  if (head.sizeBytes !== upload.sizeBytes) throw wrongSize(head.sizeBytes, upload.sizeBytes);
  if (head.sizeBytes === 0) throw new AppError("empty_body", "The upload is empty");
}

/**
 * Computes the SHA-256 of a stored object by reading it once, in constant memory.
 *
 * @throws {AppError} `storage_error` when it has gone, `client_closed_request` when the signal aborts.
 */
export async function hashObject(
  deps: Pick<AdoptDeps, "objects">,
  object: { readonly key: string; readonly signal: AbortSignal },
): Promise<{ readonly sha256Hex: string; readonly sizeBytes: number }> {
  const { key, signal } = object;
  try {
    const body = await deps.objects.get(key, { signal });
    if (body === null) throw new AppError("storage_error", "The stored bytes have gone");
    const hash = createHash("sha256");
    let sizeBytes = 0;
    for await (const chunk of body.stream) {
      hash.update(chunk);
      sizeBytes += chunk.byteLength;
    }
    return { sha256Hex: hash.digest("hex"), sizeBytes };
  } catch (error) {
    throw signal.aborted ? toAbortError(signal.reason) : error;
  }
}

/** The asset is there already: what is left over is not the client's concern. */
async function tidyUp(deps: AdoptDeps, upload: StagedUpload): Promise<void> {
  const { sessionId, stagingKey } = upload;
  try {
    await removeStaged(deps, [stagingKey, formatSealedKey(sessionId)]);
    await deps.sessions.release(sessionId);
  } catch (error) {
    deps.reportFailure("removing a staged upload", { error, sessionId });
  }
}

async function endFailed(deps: AdoptDeps, upload: StagedUpload, error: unknown): Promise<void> {
  const final = error instanceof AppError && FINAL.has(error.code);
  try {
    await deps.sessions.end(upload.sessionId, { state: final ? "aborted" : "open" });
    if (final) await tidyUp(deps, upload);
  } catch (failure) {
    deps.reportFailure("ending an upload session", {
      error: failure,
      sessionId: upload.sessionId,
    });
  }
}

function wrongSize(actual: number, declared: number): AppError {
  return new AppError(
    "incomplete_body",
    `The upload has ${actual} bytes where ${declared} were declared`,
  );
}
