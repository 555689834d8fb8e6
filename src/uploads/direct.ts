/**
 * Direct uploads: the client sends its bytes to the bucket itself, and this service decides what
 * they are.
 *
 * @module
 */
import type {
  MultipartUpload,
  ObjectPresigner,
  PresignedRequest,
  UploadedPart,
} from "../core/object_store.ts";
import { formatStagingKey } from "../core/object_keys.ts";
import { AppError } from "../errors.ts";
import type { UploadResult } from "./ports.ts";
import type { SpanningRequest, SpanningSession, SpanningView } from "./resumable_ports.ts";
import { abortSession, findSession, type SpanningDeps } from "./spanning_session.ts";

/** Sizes in bytes, durations in milliseconds. */
export interface DirectLimits {
  /** Largest upload. */
  readonly maxBytes: number;
  /** Largest upload that is sent in one request; larger ones go in parts. */
  readonly singleBytes: number;
  /** Least size of a part; larger where `maxParts` of that size do not hold the upload. */
  readonly partBytes: number;
  /** Most parts, and so most URLs of one answer. */
  readonly maxParts: number;
  /** How long the URLs and the upload last. At most seven days, the limit of SigV4. */
  readonly ttlMs: number;
}

/** The limits where nothing else is asked for. */
export const DEFAULT_DIRECT_LIMITS: Omit<DirectLimits, "maxBytes"> = {
  singleBytes: 64 * 1024 * 1024,
  partBytes: 16 * 1024 * 1024,
  maxParts: 1_000,
  ttlMs: 24 * 3_600_000,
};

/** What the use case needs. */
export interface DirectDeps extends SpanningDeps {
  readonly presigner: ObjectPresigner;
  readonly limits: DirectLimits;
  readonly newId: () => string;
}

/** One request that the client is to send. */
export interface DirectPart {
  /** From 1. */
  readonly partNumber: number;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly request: PresignedRequest;
}

/** What the client is to do. */
export interface DirectPlan {
  readonly sessionId: string;
  readonly expiresAt: Date;
  /** Every part but the last has this size. */
  readonly partSizeBytes: number;
  readonly parts: readonly DirectPart[];
}

/** Direct uploads of tenants. Sessions of other tenants do not exist. */
export interface DirectUploads {
  /** @throws {AppError} `body_too_large`, `empty_body`, `storage_*`. */
  plan(request: SpanningRequest): Promise<DirectPlan>;
  /** @throws {AppError} `upload_not_found`, `upload_expired`. */
  find(tenant: string, sessionId: string): Promise<SpanningView>;
  /**
   * Makes an asset of what lies in the bucket: its size and hash are found out here. May be repeated
   * after a lost answer.
   *
   * @throws {AppError} As {@linkcode find}; `upload_incomplete` (with `missingParts`),
   * `state_conflict`, `digest_mismatch`, `incomplete_body`, `storage_*`.
   */
  complete(view: SpanningView): Promise<UploadResult>;
  /** Drops the upload and all its bytes. */
  abort(session: SpanningSession): Promise<void>;
}

const MIB = 1024 * 1024;
/** How many missing parts an answer names. */
const MAX_NAMED_PARTS = 100;

/** Creates the use case. */
export function createDirectUploads(deps: DirectDeps): DirectUploads {
  return {
    plan: (request) => plan(deps, request),
    find: (tenant, sessionId) => findSession(deps, { kind: "direct", tenant, sessionId }),
    complete: (view) => complete(deps, view),
    abort: (session) => abortSession(deps, session),
  };
}

async function plan(deps: DirectDeps, request: SpanningRequest): Promise<DirectPlan> {
  const { limits } = deps;
  const { sizeBytes } = request;
  if (sizeBytes > limits.maxBytes) {
    throw new AppError("body_too_large", `Uploads may have up to ${limits.maxBytes} bytes`, {
      extensions: { limitBytes: limits.maxBytes },
    });
  }
  if (sizeBytes === 0) throw new AppError("empty_body", "The upload is empty");
  const sessionId = deps.newId();
  const stagingKey = formatStagingKey(sessionId);
  const partSizeBytes = sizeBytes <= limits.singleBytes
    ? sizeBytes
    : choosePartSize(deps, sizeBytes);
  const draft = { ...request, sessionId, kind: "direct" as const, stagingKey, partSizeBytes };
  // The row comes first: without it the sweep would not find the multipart upload for a day.
  const expiresAt = await deps.sessions.create({ ...draft, multipartId: null }, limits.ttlMs);
  if (sizeBytes <= limits.singleBytes) {
    const put = { sizeBytes, expiresInSeconds: limits.ttlMs / 1000 };
    const signed = await deps.presigner.presignPut(stagingKey, put);
    const part = { partNumber: 1, offsetBytes: 0, sizeBytes, request: signed };
    return { sessionId, expiresAt, partSizeBytes, parts: [part] };
  }
  const upload = await deps.objects.createMultipart(stagingKey, { partSizeBytes });
  const recorded = await deps.sessions.advance(sessionId, {
    fence: 0,
    fromBytes: 0,
    toBytes: 0,
    tailKey: null,
    multipartId: upload.uploadId,
  }, limits.ttlMs);
  if (!recorded) throw new AppError("upload_expired", "The upload has expired");
  return {
    sessionId,
    expiresAt,
    partSizeBytes,
    parts: await presignParts(deps, upload, sizeBytes),
  };
}

function choosePartSize({ limits }: DirectDeps, sizeBytes: number): number {
  return Math.max(limits.partBytes, Math.ceil(sizeBytes / limits.maxParts / MIB) * MIB);
}

async function presignParts(
  deps: DirectDeps,
  upload: MultipartUpload,
  sizeBytes: number,
): Promise<DirectPart[]> {
  const parts: DirectPart[] = [];
  for (let offset = 0; offset < sizeBytes; offset += upload.partSizeBytes) {
    const partNumber = parts.length + 1;
    const partBytes = Math.min(upload.partSizeBytes, sizeBytes - offset);
    const request = await deps.presigner.presignPart(upload, {
      partNumber,
      sizeBytes: partBytes,
      expiresInSeconds: deps.limits.ttlMs / 1000,
    });
    parts.push({ partNumber, offsetBytes: offset, sizeBytes: partBytes, request });
  }
  return parts;
}

async function complete(deps: DirectDeps, { session, asset }: SpanningView): Promise<UploadResult> {
  if (session.state === "done") {
    if (asset) return { created: false, asset };
    throw new AppError("upload_expired", "The asset that this upload became has been deleted");
  }
  if (session.multipartId === null) await assertUploaded(deps, session);
  else await joinParts(deps, session, session.multipartId);
  return await deps.ingest.adoptStaged({
    ...session,
    expectedHash: session.expectedHash ?? undefined,
    visibility: session.visibility ?? undefined,
    // Its URLs work until they expire.
    clientCanWrite: true,
    signal: new AbortController().signal,
  });
}

async function assertUploaded(deps: DirectDeps, session: SpanningSession): Promise<void> {
  if (await deps.objects.head(session.stagingKey) === null) throw incomplete([1]);
}

/** Makes the object of its parts. The store's list counts, not the client's. */
async function joinParts(
  deps: DirectDeps,
  session: SpanningSession,
  uploadId: string,
): Promise<void> {
  const { stagingKey: key, partSizeBytes, sizeBytes } = session;
  const upload = { key, uploadId, partSizeBytes };
  const stored = await deps.objects.listParts(upload);
  // Joined by an earlier call that failed afterwards; adoption looks whether the object is there.
  if (stored === null) return;
  const missing = findMissingParts(stored, { sizeBytes, partSizeBytes });
  if (missing.length > 0) throw incomplete(missing);
  await deps.objects.completeMultipart(upload, { parts: stored });
}

/** The numbers of the parts that are not there in their full size. */
function findMissingParts(
  stored: readonly UploadedPart[],
  { sizeBytes, partSizeBytes }: { readonly sizeBytes: number; readonly partSizeBytes: number },
): number[] {
  const sizes = new Map(stored.map((part) => [part.partNumber, part.sizeBytes]));
  const missing: number[] = [];
  for (let number = 1, offset = 0; offset < sizeBytes; number++, offset += partSizeBytes) {
    if (sizes.get(number) !== Math.min(partSizeBytes, sizeBytes - offset)) missing.push(number);
  }
  return missing;
}

function incomplete(missing: readonly number[]): AppError {
  return new AppError("upload_incomplete", `${missing.length} part(s) have not been uploaded yet`, {
    extensions: { missingParts: missing.slice(0, MAX_NAMED_PARTS) },
  });
}
