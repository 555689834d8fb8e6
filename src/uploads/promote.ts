import type { ContentHash } from "../core/content_hash.ts";
import type { ByteSource } from "../core/image_header/byte_source.ts";
import { formatRawKey } from "../core/object_keys.ts";
import { AppError, hasCode } from "../errors.ts";
import { toAbortError } from "./body_reader.ts";
import { pause, retryCatalog } from "./catalog_retry.ts";
import { startHeartbeat } from "./heartbeat.ts";
import type {
  AssetFacts,
  Attempt,
  ClaimRequest,
  FactReader,
  FailureReporter,
  NewReference,
  StepObserver,
  UploadCatalog,
  UploadedAsset,
  UploadObjects,
  UploadResult,
  Visibility,
} from "./ports.ts";

/** First and longest wait between two looks at a row that another attempt owns. */
const POLL_MS = { first: 50, longest: 1_000 } as const;

/** Bytes whose hash is proved, waiting to become an object. */
export interface PendingContent {
  readonly contentHash: ContentHash;
  readonly sizeBytes: number;
  readonly claimedType: string | null;
  /** Makes the bytes an object under `key`, overwriting what is there. May be called again. */
  store(key: string, signal: AbortSignal): Promise<void>;
  /** The bytes, for their facts, after they were stored under `key`. */
  openSource(key: string, signal: AbortSignal): ByteSource;
}

/** For whom the content is stored. */
export interface Uploader extends Omit<NewReference, "referenceId"> {
  /** Null when the uploader did not say. */
  readonly visibility: Visibility | null;
  /** Ends the waiting for another upload of the same bytes; nothing else. */
  readonly signal: AbortSignal;
}

/** What promotion needs. Durations in milliseconds. */
export interface PromoterDeps {
  readonly catalog: UploadCatalog;
  readonly objects: UploadObjects;
  readonly facts: FactReader;
  readonly newId: () => string;
  readonly leaseMs: number;
  readonly claimWaitMs: number;
  readonly reportFailure: FailureReporter;
  readonly onStep: StepObserver;
}

/** Turns proved bytes into a READY asset. */
export interface Promoter {
  /**
   * Stores the content if nobody has, or refers to it. Of many attempts at the same bytes one
   * stores them, over all instances, and the others wait for it; when it dies, one of them takes
   * over.
   */
  promote(content: PendingContent, uploader: Uploader): Promise<UploadResult>;
}

/** Creates the promoter. One per process: attempts in the same process wait without polling. */
export function createPromoter(deps: PromoterDeps): Promoter {
  const turns = new Map<ContentHash, Promise<unknown>>();

  async function promote(content: PendingContent, uploader: Uploader): Promise<UploadResult> {
    const deadline = performance.now() + deps.claimWaitMs;
    let pollMs: number = POLL_MS.first;
    while (true) {
      await waitForTurn(turns.get(content.contentHash), deadline, uploader.signal);
      const request = buildClaim(deps, content, uploader);
      const claim = await retryCatalog(() => deps.catalog.claim(request));
      if (claim.outcome === "known") return { created: claim.newReference, asset: claim.asset };
      if (claim.outcome === "claimed") {
        await deps.onStep("claimed");
        const work = storeAndPublish(deps, { content, request });
        const turn = work.catch(() => {}).finally(() => turns.delete(content.contentHash));
        turns.set(content.contentHash, turn);
        const asset = await work;
        if (asset !== null) return { created: true, asset };
      }
      const leaseLeftMs = claim.outcome === "busy" ? claim.leaseLeftMs : 0;
      if (performance.now() >= deadline) throw stillBusy(leaseLeftMs);
      await pause(Math.min(pollMs, Math.max(leaseLeftMs, 10)), uploader.signal);
      if (uploader.signal.aborted) throw toAbortError(uploader.signal.reason);
      pollMs = Math.min(pollMs * 1.6 * (0.9 + Math.random() / 5), POLL_MS.longest);
    }
  }
  return { promote };
}

/** Waits for the attempt of this process at the same bytes, whatever comes of it. */
async function waitForTurn(
  turn: Promise<unknown> | undefined,
  deadline: number,
  signal: AbortSignal,
): Promise<void> {
  if (turn === undefined) return;
  const enough = new AbortController();
  const giveUp = AbortSignal.any([enough.signal, signal]);
  await Promise.race([turn, pause(Math.max(0, deadline - performance.now()), giveUp)]);
  enough.abort();
  if (signal.aborted) throw toAbortError(signal.reason);
}

function buildClaim(
  deps: PromoterDeps,
  content: PendingContent,
  uploader: Uploader,
): ClaimRequest {
  return {
    contentHash: content.contentHash,
    sizeBytes: content.sizeBytes,
    attemptId: deps.newId(),
    leaseMs: deps.leaseMs,
    referenceId: deps.newId(),
    tenant: uploader.tenant,
    keyId: uploader.keyId,
    fileName: uploader.fileName,
    visibility: uploader.visibility,
  };
}

/** Null when another attempt has taken over. */
async function storeAndPublish(
  deps: PromoterDeps,
  work: { readonly content: PendingContent; readonly request: ClaimRequest },
): Promise<UploadedAsset | null> {
  const { content, request } = work;
  using heart = startHeartbeat(() => deps.catalog.renew(request, deps.leaseMs), {
    leaseMs: deps.leaseMs,
    lossDetail: "Another upload of the same bytes has taken over",
  });
  try {
    const key = formatRawKey(content.contentHash);
    await content.store(key, heart.signal);
    await deps.onStep("object_stored");
    await checkStoredObject(deps.objects, { key, content, signal: heart.signal });
    await deps.onStep("object_checked");
    if (!await retryCatalog(() => deps.catalog.verify(request, deps.leaseMs), heart.signal)) {
      return null;
    }
    await deps.onStep("verified");
    const source = content.openSource(key, heart.signal);
    const facts = await deps.facts.readFacts(source, content.claimedType);
    await deps.onStep("facts_read");
    return await publish(deps, { request, facts, signal: heart.signal });
  } catch (error) {
    if (heart.lost) return null;
    await failQuietly(deps, request, error);
    throw error;
  }
}

async function publish(
  deps: PromoterDeps,
  work: {
    readonly request: ClaimRequest;
    readonly facts: AssetFacts;
    readonly signal: AbortSignal;
  },
): Promise<UploadedAsset | null> {
  const { request, facts, signal } = work;
  // A lease that ran out while the store hesitated may be another's by now, or a purge's.
  signal.throwIfAborted();
  const asset = await retryCatalog(() => deps.catalog.publish(request, facts, request), signal);
  if (asset !== null) await deps.onStep("ready");
  return asset;
}

/**
 * Compares what the store says it has with what was sent: our own question, not the answer to the
 * write.
 *
 * @throws {AppError} `object_mismatch`.
 */
export async function checkStoredObject(
  objects: Pick<UploadObjects, "head">,
  expected: {
    readonly key: string;
    readonly content: Pick<PendingContent, "contentHash" | "sizeBytes">;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { key, content, signal } = expected;
  const head = await objects.head(key, { signal });
  if (head?.sizeBytes !== content.sizeBytes) {
    throw new AppError("object_mismatch", "The stored object does not have the size that was sent");
  }
  if (head.sha256 !== null && head.sha256 !== content.contentHash) {
    throw new AppError(
      "object_mismatch",
      "The stored object does not have the bytes that were sent",
    );
  }
}

/**
 * Marks the attempt FAILED, so that the next one need not wait for the lease. What the store may
 * have kept stays there: removing it could take away what a later attempt has stored meanwhile.
 */
async function failQuietly(
  deps: PromoterDeps,
  attempt: Attempt,
  error: unknown,
): Promise<void> {
  const reason = error instanceof AppError ? error.code : "internal_error";
  // With the catalog away this would only wait in vain; the sweep finds the row by its lease.
  if (hasCode(error, "catalog_unavailable")) return;
  try {
    await deps.catalog.fail(attempt, reason);
  } catch (failure) {
    deps.reportFailure("marking an upload as failed", {
      error: failure,
      contentHash: attempt.contentHash,
    });
  }
}

function stillBusy(leaseLeftMs: number): AppError {
  return new AppError(
    "upload_queue_full",
    "Another upload of the same bytes is still under way; try again shortly",
    { retryAfterSeconds: Math.max(1, Math.ceil(leaseLeftMs / 1_000)) },
  );
}
