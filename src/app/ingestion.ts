import type { Config } from "../config.ts";
import type { ContentHash } from "../core/content_hash.ts";
import type { ObjectStore } from "../core/object_store.ts";
import { sniffMediaType } from "../adapters/file_type/sniff_media_type.ts";
import type { DiskPresigner } from "../adapters/disk/disk_presigner.ts";
import type { Database } from "../adapters/postgres/database.ts";
import { createSweepCatalog, createSweepSessions } from "../adapters/postgres/sweep_catalog.ts";
import { createUploadCatalog } from "../adapters/postgres/upload_catalog.ts";
import { createUploadSessions } from "../adapters/postgres/upload_sessions.ts";
import type { HttpRoutes } from "../http/http_env.ts";
import type { Authenticator } from "../http/middleware/authentication.ts";
import { uploadRoutes } from "../http/routes/uploads.ts";
import { createUploadAdmission, type UploadQuota } from "../http/upload_admission.ts";
import { describeError, type Logger } from "../telemetry/logger.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import { createIngest } from "../uploads/ingest.ts";
import type { FailureReporter, Ingest, PlaceholderMaker } from "../uploads/ports.ts";
import { createFactReader } from "../uploads/read_facts.ts";
import { createSweep, type Sweep } from "../uploads/sweep.ts";
import { observeIngest } from "./observe_service.ts";
import { createSpanningUploads } from "./spanning_uploads.ts";
import { traceIngest } from "./traced.ts";
import { createUuidV7 } from "./uuid_v7.ts";

/** What uploads are made of, wired up. */
export interface Ingestion {
  readonly routes: readonly HttpRoutes[];
  readonly ingest: Ingest;
  /** Ends what a crash has left unfinished. */
  readonly sweep: Sweep;
}

/** What uploads need of the other parts. */
export interface IngestionParts {
  readonly database: Database;
  readonly store: ObjectStore;
  /** Checks direct uploads that come to this service; null where they go to a bucket. */
  readonly diskPresigner: DiskPresigner | null;
  readonly authenticator: Authenticator;
  readonly quota: UploadQuota;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  readonly placeholders: PlaceholderMaker;
  /** Called with the hash of every upload, so that a remembered "unknown" is forgotten. */
  readonly onUploaded: (hash: ContentHash) => void;
}

/** Wires the ways in. */
export function createIngestion(config: Config, parts: IngestionParts): Ingestion {
  const { upload, storage } = config;
  const facts = createFactReader(sniffMediaType);
  const reportFailure: FailureReporter = (event, { error, ...details }) =>
    parts.logger.log("warn", event, { ...details, error: describeError(error) });
  const catalog = createUploadCatalog(parts.database);
  const ingest = createIngest({
    catalog,
    placeholders: { maker: parts.placeholders, store: catalog },
    sessions: createUploadSessions(parts.database),
    objects: parts.store,
    facts,
    newId: createUuidV7,
    limits: {
      maxBytes: upload.maxBytes,
      partBytes: storage.partSizeBytes,
      maxHeldBytes: upload.heldBytes,
      idleTimeoutMs: upload.idleTimeoutMs,
    },
    reportFailure,
  });
  const sweep = createSweep({
    catalog: createSweepCatalog(parts.database),
    sessions: createSweepSessions(parts.database),
    objects: parts.store,
    facts,
    newId: createUuidV7,
    now: () => new Date(),
    reportFailure,
  });
  const traced = traceIngest(observeIngest(ingest, parts.metrics), parts.tracing);
  const announcing = announceUploads(traced, parts.onUploaded);
  const admission = createUploadAdmission({
    quota: parts.quota,
    maxConcurrentPerKey: upload.concurrentPerKey,
    now: () => new Date(),
  });
  return {
    ingest: announcing,
    sweep,
    routes: [
      uploadRoutes({
        ingest: announcing,
        authenticator: parts.authenticator,
        admission,
        maxBytes: upload.maxBytes,
        form: { maxFiles: upload.maxFilesPerForm },
        idleTimeoutMs: upload.idleTimeoutMs,
        reportProblem: ({ code, cause, message }, requestId) =>
          parts.logger.log("error", "file of a form failed", {
            requestId,
            code,
            error: describeError(cause ?? message),
          }),
      }),
      ...createSpanningUploads(config, { ...parts, ingest: announcing, admission, reportFailure }),
    ],
  };
}

/** Delivery remembers unknown hashes for seconds; an upload on this instance ends that at once. */
function announceUploads(ingest: Ingest, onUploaded: (hash: ContentHash) => void): Ingest {
  return {
    ...ingest,
    async ingest(body, request) {
      const result = await ingest.ingest(body, request);
      onUploaded(result.asset.contentHash);
      return result;
    },
    async adoptStaged(upload) {
      const result = await ingest.adoptStaged(upload);
      onUploaded(result.asset.contentHash);
      return result;
    },
  };
}
