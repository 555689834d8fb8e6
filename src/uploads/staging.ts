/**
 * Bytes in `staging/`, always under a session that the sweep can find.
 *
 * @module
 */
import type { ContentHash } from "../core/content_hash.ts";
import { createMultipartWriter } from "../core/multipart_writer.ts";
import { formatStagingKey } from "../core/object_keys.ts";
import { AppError } from "../errors.ts";
import { retryCatalog } from "./catalog_retry.ts";
import { type Heartbeat, startHeartbeat } from "./heartbeat.ts";
import type {
  FailureReporter,
  StepObserver,
  UploadObjects,
  UploadRequest,
  UploadSessions,
} from "./ports.ts";
import type { PendingContent } from "./promote.ts";
import { createStoredSource } from "./stored_source.ts";

/** Longest time for tidying up after an upload; what is not done by then is the sweep's. */
const CLEAN_UP_MS = 10_000;

/** What staging needs. Durations in milliseconds. */
export interface StagingDeps {
  readonly sessions: UploadSessions;
  readonly objects: UploadObjects;
  readonly newId: () => string;
  readonly sessionLeaseMs: number;
  readonly reportFailure: FailureReporter;
  readonly onStep: StepObserver;
}

/** How a long body is written. Sizes in bytes. */
export interface StagingOptions {
  readonly request: UploadRequest;
  /** Sanitised. */
  readonly fileName: string | null;
  readonly maxBytes: number;
  readonly partSizeBytes: number;
  readonly maxPartBuffers: number;
}

/** A long body on its way into the store. */
export interface StagedBody extends AsyncDisposable {
  /** Takes the next bytes; resolves when there is room for more. */
  write(chunk: Uint8Array): Promise<void>;
  /** Names what was written, when all of it was. */
  toContent(contentHash: ContentHash): PendingContent;
}

/**
 * Opens a session and a multipart upload for it. Dispose it in any case: parts, staging object and
 * session are removed then, and what cannot be removed stays in the session for the sweep.
 */
export async function openStagedBody(
  deps: StagingDeps,
  options: StagingOptions,
): Promise<StagedBody> {
  const sessionId = deps.newId();
  const stagingKey = formatStagingKey(sessionId);
  const { request } = options;
  await retryCatalog(() =>
    deps.sessions.open({
      sessionId,
      stagingKey,
      tenant: request.tenant,
      keyId: request.keyId,
      declaredHash: request.expectedHash ?? null,
      declaredSizeBytes: request.contentLength ?? null,
      fileName: options.fileName,
      claimedType: request.claimedType,
      leaseMs: deps.sessionLeaseMs,
    }), request.signal);
  const body = new MultipartBody(deps, { ...options, sessionId, stagingKey });
  try {
    await deps.onStep("session_opened");
  } catch (error) {
    await body[Symbol.asyncDispose]();
    throw error;
  }
  return body;
}

class MultipartBody implements StagedBody {
  readonly #deps: StagingDeps;
  readonly #sessionId: string;
  readonly #stagingKey: string;
  readonly #heart: Heartbeat;
  readonly #writer;
  readonly #claimedType: string | null;
  #announced = false;
  #completed = false;

  constructor(
    deps: StagingDeps,
    options: StagingOptions & { readonly sessionId: string; readonly stagingKey: string },
  ) {
    this.#deps = deps;
    this.#sessionId = options.sessionId;
    this.#stagingKey = options.stagingKey;
    this.#claimedType = options.request.claimedType;
    this.#heart = startHeartbeat(() => this.#renew(), {
      leaseMs: deps.sessionLeaseMs,
      lossDetail: "The upload was given up, because it had shown no progress",
    });
    this.#writer = createMultipartWriter(deps.objects, options.stagingKey, {
      maxBytes: options.maxBytes,
      partSizeBytes: options.partSizeBytes,
      maxPartBuffers: options.maxPartBuffers,
      signal: this.#heart.signal,
    });
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#writer.write(chunk);
    if (this.#announced || this.#writer.upload === null) return;
    this.#announced = true;
    // The sweep could find the upload by its key too, but not in every store at once.
    if (!await retryCatalog(() => this.#renew(), this.#heart.signal)) throw givenUp();
    await this.#deps.onStep("part_written");
  }

  toContent(contentHash: ContentHash): PendingContent {
    const { objects } = this.#deps;
    const sizeBytes = this.#writer.writtenBytes;
    return {
      contentHash,
      sizeBytes,
      claimedType: this.#claimedType,
      store: async (key, signal) => {
        if (!this.#completed) {
          await this.#writer.complete();
          this.#completed = true;
          await this.#deps.onStep("staging_completed");
        }
        await copyStaged(objects, { from: this.#stagingKey, to: key, signal });
      },
      openSource: (key, signal) => createStoredSource(objects, { key, sizeBytes, signal }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#heart[Symbol.dispose]();
    try {
      // An interrupted completion may have made the object: the abort then finds nothing.
      if (!this.#completed) await this.#writer.abort();
      // The store may have begun an upload whose id was lost with its answer.
      if (this.#writer.upload === null) await abortUploads(this.#deps.objects, this.#stagingKey);
      await removeStaged(this.#deps, [this.#stagingKey]);
      await this.#deps.sessions.release(this.#sessionId);
    } catch (error) {
      this.#deps.reportFailure("removing a staged upload", { error, sessionId: this.#sessionId });
    }
  }

  #renew(): Promise<boolean> {
    return this.#deps.sessions.renew(this.#sessionId, {
      leaseMs: this.#deps.sessionLeaseMs,
      receivedBytes: this.#writer.writtenBytes,
      multipartId: this.#writer.upload?.uploadId ?? null,
    });
  }
}

/**
 * Copies on the store's side.
 *
 * @throws {AppError} `storage_error` when there is nothing to copy.
 */
export async function copyStaged(
  objects: Pick<UploadObjects, "copy">,
  copy: { readonly from: string; readonly to: string; readonly signal: AbortSignal },
): Promise<void> {
  const copied = await objects.copy(copy.from, copy.to, { signal: copy.signal });
  if (copied === null) {
    throw new AppError("storage_error", "The staged bytes have gone from the store");
  }
}

/** Aborts every multipart upload under a key. */
export async function abortUploads(
  objects: Pick<UploadObjects, "listMultipartUploads" | "abortMultipart">,
  key: string,
  signal?: AbortSignal,
): Promise<void> {
  for await (const upload of objects.listMultipartUploads(key, { signal })) {
    await objects.abortMultipart(upload, { signal });
  }
}

/** Removes staging objects within bounded time. */
export async function removeStaged(
  deps: Pick<StagingDeps, "objects" | "onStep">,
  keys: readonly string[],
): Promise<void> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), CLEAN_UP_MS);
  try {
    for (const key of keys) await deps.objects.delete(key, { signal: deadline.signal });
  } finally {
    clearTimeout(timer);
  }
  await deps.onStep("staging_removed");
}

function givenUp(): AppError {
  return new AppError(
    "state_conflict",
    "The upload was given up, because it had shown no progress",
  );
}
