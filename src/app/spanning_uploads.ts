import type { Config } from "../config.ts";
import type { DiskPresigner } from "../adapters/disk/disk_presigner.ts";
import type { Database } from "../adapters/postgres/database.ts";
import { createSpanningSessions } from "../adapters/postgres/spanning_sessions.ts";
import { createUploadSessions } from "../adapters/postgres/upload_sessions.ts";
import type { ObjectStore } from "../core/object_store.ts";
import type { HttpRoutes } from "../http/http_env.ts";
import type { Authenticator } from "../http/middleware/authentication.ts";
import { directBytesRoutes } from "../http/routes/direct_bytes.ts";
import { directUploadRoutes } from "../http/routes/direct_uploads.ts";
import { tusRoutes } from "../http/routes/tus.ts";
import type { UploadAdmission } from "../http/upload_admission.ts";
import { createDirectUploads, DEFAULT_DIRECT_LIMITS } from "../uploads/direct.ts";
import type { FailureReporter, Ingest } from "../uploads/ports.ts";
import { createResumableUploads } from "../uploads/resumable.ts";
import { createUploadMemory } from "../uploads/upload_memory.ts";
import { createUuidV7 } from "./uuid_v7.ts";

/** What uploads that span requests need of the other parts. */
export interface SpanningParts {
  readonly ingest: Ingest;
  readonly database: Database;
  readonly store: ObjectStore;
  /** Checks direct uploads that come to this service; null where they go to a bucket. */
  readonly diskPresigner: DiskPresigner | null;
  readonly authenticator: Authenticator;
  readonly admission: UploadAdmission;
  readonly reportFailure: FailureReporter;
}

/** Requests that may wait for memory, and for how long in milliseconds. */
const MAX_WAITING = 1_000;
const MAX_WAIT_MS = 20_000;
/** Bytes that a client must send during each idle time-out of waiting for it. */
const MIN_WINDOW_BYTES = 16 * 1024;
/** SigV4 signs for seven days at most. */
const MAX_SIGNED_MS = 7 * 24 * 3_600_000;

/** Wires resumable and direct uploads. */
export function createSpanningUploads(config: Config, parts: SpanningParts): HttpRoutes[] {
  const { upload, storage } = config;
  const { database, store, diskPresigner } = parts;
  const shared = {
    ingest: parts.ingest,
    sessions: createSpanningSessions(database),
    staged: createUploadSessions(database),
    objects: store,
    reportFailure: parts.reportFailure,
    newId: createUuidV7,
  };
  // Apart from the budget of plain uploads: one kind cannot starve the other.
  const budget = createUploadMemory({
    capacity: Math.max(upload.heldBytes / 2, storage.partSizeBytes),
    maxWaiting: MAX_WAITING,
    maxWaitMs: MAX_WAIT_MS,
  });
  const { maxBytes } = upload;
  const pace = { idleTimeoutMs: upload.idleTimeoutMs, minWindowBytes: MIN_WINDOW_BYTES };
  const resumable = createResumableUploads({
    ...shared,
    budget,
    now: () => new Date(),
    limits: { ...pace, maxBytes, partBytes: storage.partSizeBytes, ttlMs: upload.sessionTtlMs },
  });
  const direct = createDirectUploads({
    ...shared,
    presigner: store,
    limits: {
      ...DEFAULT_DIRECT_LIMITS,
      maxBytes,
      ttlMs: Math.min(upload.sessionTtlMs, MAX_SIGNED_MS),
    },
  });
  const routes = [
    directUploadRoutes({ ...parts, uploads: direct }),
    tusRoutes({ ...parts, uploads: resumable, maxBytes }),
  ];
  if (diskPresigner) {
    const verify = (url: URL) => diskPresigner.verify(url);
    routes.push(directBytesRoutes({ ...pace, verify, objects: store, budget }));
  }
  return routes;
}
