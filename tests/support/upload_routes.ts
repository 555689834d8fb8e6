/** Builds the resumable and direct upload routes on the parts of a test world. */
import type { DiskObjectStore } from "../../src/adapters/disk/disk_object_store.ts";
import { createSpanningSessions } from "../../src/adapters/postgres/spanning_sessions.ts";
import { createUploadSessions } from "../../src/adapters/postgres/upload_sessions.ts";
import { createUuidV7 } from "../../src/app/uuid_v7.ts";
import { directBytesRoutes } from "../../src/http/routes/direct_bytes.ts";
import { directUploadRoutes } from "../../src/http/routes/direct_uploads.ts";
import { tusRoutes } from "../../src/http/routes/tus.ts";
import { createDirectUploads, type DirectLimits } from "../../src/uploads/direct.ts";
import { createUploadMemory } from "../../src/uploads/upload_memory.ts";
import { createResumableUploads, type ResumableLimits } from "../../src/uploads/resumable.ts";
import { authenticator, type MoreRoutes } from "./upload_app.ts";
import { MIB } from "./upload_world.ts";

/** Small enough for quick tests. */
export const RESUMABLE_LIMITS: ResumableLimits = {
  maxBytes: 64 * MIB,
  partBytes: 5 * MIB,
  ttlMs: 3_600_000,
  idleTimeoutMs: 10_000,
  minWindowBytes: 1024,
};

/** `/v1/uploads` on the world's parts. */
export function resumable(limits: Partial<ResumableLimits> = {}): MoreRoutes {
  return ({ world, ingest, admission }) => {
    const uploads = createResumableUploads({
      ingest,
      sessions: createSpanningSessions(world.database),
      staged: createUploadSessions(world.database),
      objects: world.faults.objects,
      budget: createUploadMemory({ capacity: 64 * MIB, maxWaiting: 100, maxWaitMs: 10_000 }),
      limits: { ...RESUMABLE_LIMITS, ...limits },
      newId: () => createUuidV7(),
      now: () => new Date(),
      reportFailure: (event, { error }) => void world.reports.push(`${event}: ${error}`),
    });
    return [tusRoutes({ uploads, authenticator, admission, maxBytes: 64 * MIB })];
  };
}

/** Small enough for quick tests. */
export const DIRECT_LIMITS: DirectLimits = {
  maxBytes: 64 * MIB,
  singleBytes: 5 * MIB,
  partBytes: 5 * MIB,
  maxParts: 100,
  ttlMs: 3_600_000,
};

/** `/v1/uploads/direct` on the world's parts, with the route that takes the bytes for the disk. */
export function direct(limits: Partial<DirectLimits> = {}): MoreRoutes {
  return ({ world, ingest, admission }) => {
    const objects = world.faults.objects as DiskObjectStore;
    const uploads = createDirectUploads({
      ingest,
      sessions: createSpanningSessions(world.database),
      staged: createUploadSessions(world.database),
      objects,
      presigner: objects,
      limits: { ...DIRECT_LIMITS, ...limits },
      newId: () => createUuidV7(),
      reportFailure: (event, { error }) => void world.reports.push(`${event}: ${error}`),
    });
    const routes = directUploadRoutes({ uploads, authenticator, admission });
    if (!objects.presigner) return [routes];
    return [
      routes,
      directBytesRoutes({
        ...RESUMABLE_LIMITS,
        verify: (url) => objects.presigner.verify(url),
        objects,
        budget: createUploadMemory({ capacity: 64 * MIB, maxWaiting: 100, maxWaitMs: 10_000 }),
      }),
    ];
  };
}
