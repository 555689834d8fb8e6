/**
 * Resumable uploads, independent of the protocol that speaks to them: create, append, terminate.
 *
 * @module
 */
import type { Budget } from "../core/budget.ts";
import { choosePartSizeBytes } from "../core/multipart_writer.ts";
import { formatStagingKey } from "../core/object_keys.ts";
import { AppError } from "../errors.ts";
import { BodyReader } from "./body_reader.ts";
import type {
  AppendResult,
  SpanningRequest,
  SpanningSession,
  SpanningView,
} from "./resumable_ports.ts";
import { abortSession, findSession, removeStaging, type SpanningDeps } from "./spanning_session.ts";
import { type ChunkChecksum, writeBehind } from "./resumable_writer.ts";

/** Sizes in bytes, durations in milliseconds. */
export interface ResumableLimits {
  /** Largest upload. */
  readonly maxBytes: number;
  /** Wanted size of a part; also the most that one request holds in memory. */
  readonly partBytes: number;
  /** How long an upload lives after its last progress. */
  readonly ttlMs: number;
  /** Longest silence of a client. */
  readonly idleTimeoutMs: number;
  /** Bytes that must arrive during each `idleTimeoutMs` of waiting. */
  readonly minWindowBytes: number;
}

/** What the use case needs. */
export interface ResumableDeps extends SpanningDeps {
  /** Bounds the part buffers of all requests of this instance together. */
  readonly budget: Budget;
  readonly limits: ResumableLimits;
  readonly newId: () => string;
  readonly now: () => Date;
}

/** The body of one request, and where it belongs. */
export interface AppendRequest {
  readonly offsetBytes: number;
  readonly body: ReadableStream<Uint8Array>;
  readonly contentLength: number | undefined;
  readonly checksum: ChunkChecksum | undefined;
}

/** Resumable uploads of tenants. Sessions of other tenants do not exist. */
export interface ResumableUploads {
  /** @throws {AppError} `body_too_large`, `empty_body`. */
  create(request: SpanningRequest): Promise<SpanningSession>;
  /** @throws {AppError} `upload_not_found`, `upload_expired`. */
  find(tenant: string, sessionId: string): Promise<SpanningView>;
  /**
   * Stores the body behind the bytes that are there. With the last byte the upload becomes an asset.
   *
   * @throws {AppError} As {@linkcode find}; `upload_offset_conflict` (with the right offset),
   * `checksum_mismatch`, `state_conflict`, and what reading, storing and adopting throw.
   */
  append(session: SpanningSession, request: AppendRequest): Promise<AppendResult>;
  /** Drops the upload and all its bytes. @throws {AppError} As {@linkcode find}. */
  terminate(session: SpanningSession): Promise<void>;
}

/** Creates the use case. */
export function createResumableUploads(deps: ResumableDeps): ResumableUploads {
  return {
    create: (request) => create(deps, request),
    find: (tenant, sessionId) => findSession(deps, { kind: "tus", tenant, sessionId }),
    append: (session, request) => append(deps, session, request),
    terminate: (session) => abortSession(deps, session),
  };
}

async function create(deps: ResumableDeps, request: SpanningRequest): Promise<SpanningSession> {
  const { limits } = deps;
  if (request.sizeBytes > limits.maxBytes) {
    throw new AppError("body_too_large", `Uploads may have up to ${limits.maxBytes} bytes`, {
      extensions: { limitBytes: limits.maxBytes },
    });
  }
  if (request.sizeBytes === 0) throw new AppError("empty_body", "The upload is empty");
  const sessionId = deps.newId();
  const session = {
    ...request,
    sessionId,
    kind: "tus" as const,
    stagingKey: formatStagingKey(sessionId),
    multipartId: null,
    partSizeBytes: choosePartSizeBytes(request.sizeBytes, limits.partBytes),
  };
  const expiresAt = await deps.sessions.create(session, limits.ttlMs);
  return {
    ...session,
    offsetBytes: 0,
    tailKey: null,
    fence: 0,
    state: "open",
    expired: false,
    expiresAt,
    contentHash: null,
  };
}

async function append(
  deps: ResumableDeps,
  found: SpanningSession,
  request: AppendRequest,
): Promise<AppendResult> {
  const { limits } = deps;
  const session = await begin(deps, found, request.offsetBytes);
  const signal = new AbortController().signal;
  using _room = await deps.budget.reserve(session.partSizeBytes, signal);
  using reader = new BodyReader(request.body, {
    ...limits,
    maxBytes: session.sizeBytes - session.offsetBytes,
    contentLength: request.contentLength,
    signal,
  });
  const { checksum } = request;
  const offsetBytes = await writeBehind({ ...deps, ttlMs: limits.ttlMs }, session, {
    reader,
    checksum,
    signal,
  });
  const expiresAt = new Date(deps.now().getTime() + limits.ttlMs);
  if (offsetBytes < session.sizeBytes) return { session, offsetBytes, expiresAt, result: null };
  const result = await deps.ingest.adoptStaged({
    ...session,
    expectedHash: session.expectedHash ?? undefined,
    visibility: session.visibility ?? undefined,
    clientCanWrite: false,
    signal,
  });
  // Adoption removed the object itself; earlier requests may have left tails beside it.
  if (session.fence > 1) await removeStaging(deps, session);
  return { session, offsetBytes, expiresAt, result };
}

async function begin(
  deps: ResumableDeps,
  found: SpanningSession,
  offsetBytes: number,
): Promise<SpanningSession> {
  const session = await deps.sessions.beginWrite(found.sessionId, offsetBytes);
  if (session !== null) return session;
  const { session: now } = await findSession(deps, found);
  if (now.state === "completing") {
    throw new AppError("state_conflict", "The upload is being finished right now", {
      retryAfterSeconds: 2,
    });
  }
  const actual = now.state === "done" ? now.sizeBytes : now.offsetBytes;
  throw new AppError("upload_offset_conflict", `The upload continues at byte ${actual}`, {
    extensions: { offsetBytes: actual },
  });
}
