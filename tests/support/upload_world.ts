/** Uploads on real parts: a database, a folder, the adapters of production. */
import { createHash, randomBytes } from "node:crypto";
import { createDiskObjectStore } from "../../src/adapters/disk/disk_object_store.ts";
import { sniffMediaType } from "../../src/adapters/file_type/sniff_media_type.ts";
import { createDatabase, type Database } from "../../src/adapters/postgres/database.ts";
import {
  createSweepCatalog,
  createSweepSessions,
} from "../../src/adapters/postgres/sweep_catalog.ts";
import { createUploadCatalog } from "../../src/adapters/postgres/upload_catalog.ts";
import { createUploadSessions } from "../../src/adapters/postgres/upload_sessions.ts";
import { createUuidV7 } from "../../src/app/uuid_v7.ts";
import type { ObjectStore } from "../../src/core/object_store.ts";
import { createIngest, type IngestDeps, type IngestLimits } from "../../src/uploads/ingest.ts";
import type { Ingest, UploadCatalog, UploadRequest } from "../../src/uploads/ports.ts";
import { createFactReader } from "../../src/uploads/read_facts.ts";
import { createSweep, type Sweep } from "../../src/uploads/sweep.ts";
import { createFaultyObjects, type FaultyObjects } from "./faulty_objects.ts";
import { assertInvariants, type InvariantOptions } from "./invariants.ts";
import { openTestDatabase, type TestDatabase } from "./test_database.ts";

export const MIB = 1024 * 1024;

/** One instance of the service, as far as uploads go. */
export interface UploadInstance {
  readonly ingest: Ingest;
  readonly sweep: Sweep;
  readonly database: Database;
  /** What was reported to nobody in particular. */
  readonly reports: string[];
}

/** A database and a store, with one instance on them. */
export interface UploadWorld extends UploadInstance, AsyncDisposable {
  readonly testDatabase: TestDatabase;
  readonly root: string;
  /** The store without faults. */
  readonly objects: ObjectStore;
  readonly faults: FaultyObjects;
  /** Another instance on the same database and store; closed with the world. */
  addInstance(options?: InstanceOptions): UploadInstance;
  /** Makes every lease end now, as if its owner had been dead for long. */
  expireLeases(): Promise<void>;
  assertInvariants(options?: InvariantOptions): Promise<void>;
}

export interface InstanceOptions extends Pick<IngestDeps, "onStep" | "placeholders"> {
  readonly limits?: Partial<IngestLimits> | undefined;
  readonly objects?: ObjectStore;
  /** Age at which the sweep removes a staging object without a session. Milliseconds. */
  readonly strayAgeMs?: number | undefined;
  /** Puts something between uploads and their catalog. */
  readonly wrapCatalog?: ((catalog: UploadCatalog) => UploadCatalog) | undefined;
}

/** Small enough for quick tests; 5 MiB is the least that stores accept as a part. */
export const TEST_LIMITS: Partial<IngestLimits> = {
  partBytes: 5 * MIB,
  maxBytes: 64 * MIB,
  claimWaitMs: 8_000,
};

/** Opens a world on the disk store and the test database of the environment. */
export async function openUploadWorld(options: InstanceOptions = {}): Promise<UploadWorld> {
  const testDatabase = await openTestDatabase({ poolSize: 5 });
  const root = await Deno.makeTempDir({ prefix: "facet-uploads-" });
  const objects = createDiskObjectStore({ root });
  const faults = createFaultyObjects(options.objects ?? objects);
  const { database } = testDatabase;
  const extra: Database[] = [];
  const first = createUploadInstance(database, { ...options, objects: faults.objects });
  return {
    ...first,
    testDatabase,
    root,
    objects,
    faults,
    addInstance(more = {}) {
      const own = testDatabase.isEmbedded
        ? database
        : createDatabase({ url: testDatabase.url, poolSize: 5 });
      if (own !== database) extra.push(own);
      return createUploadInstance(own, { ...options, objects, ...more });
    },
    expireLeases: () => expireLeases(database),
    assertInvariants: (more) => assertInvariants({ database, objects }, more),
    async [Symbol.asyncDispose]() {
      await first.ingest.settled();
      await Promise.all(extra.map((each) => each.close()));
      await testDatabase.close();
      await Deno.remove(root, { recursive: true });
    },
  };
}

/** Builds an instance as the composition root does. */
export function createUploadInstance(
  database: Database,
  options: InstanceOptions & { readonly objects: ObjectStore },
): UploadInstance {
  const reports: string[] = [];
  const shared = {
    objects: options.objects,
    facts: createFactReader(sniffMediaType),
    newId: () => createUuidV7(),
    reportFailure: (event: string, { error }: { error: unknown }) =>
      void reports.push(`${event}: ${error}`),
  };
  return {
    database,
    reports,
    ingest: createIngest({
      ...shared,
      catalog: (options.wrapCatalog ?? ((it) => it))(createUploadCatalog(database)),
      sessions: createUploadSessions(database),
      limits: { ...TEST_LIMITS, ...options.limits },
      onStep: options.onStep,
      placeholders: options.placeholders,
    }),
    sweep: createSweep({
      ...shared,
      catalog: createSweepCatalog(database),
      sessions: createSweepSessions(database),
      now: () => new Date(),
      strayAgeMs: options.strayAgeMs,
    }),
  };
}

/** Makes every lease end now. */
export async function expireLeases(database: Database): Promise<void> {
  await database.write((sql) =>
    sql`update asset_portfolio set lease_expires_at = now() - interval '1 second'
      where lease_expires_at is not null`
  );
  await database.write((sql) =>
    sql`update upload_session set lease_expires_at = now() - interval '1 second'
      where lease_expires_at is not null`
  );
}

/** A request with everything that a test does not care about. */
export function requestOf(more: Partial<UploadRequest> = {}): UploadRequest {
  return {
    tenant: "acme",
    keyId: "key-1",
    fileName: null,
    claimedType: null,
    signal: new AbortController().signal,
    ...more,
  };
}

/** A body of these bytes in chunks, as the network delivers them. */
export function bodyOf(bytes: Uint8Array, chunkBytes = 64 * 1024): ReadableStream<Uint8Array> {
  let offset = 0;
  return new ReadableStream({
    pull(controller) {
      if (offset >= bytes.byteLength) return controller.close();
      controller.enqueue(bytes.slice(offset, offset += chunkBytes));
    },
  }, { highWaterMark: 0 });
}

/** A body that breaks after so many bytes, as when the client's connection is reset. */
export function brokenBodyOf(bytes: Uint8Array, afterBytes: number): ReadableStream<Uint8Array> {
  let offset = 0;
  return new ReadableStream({
    pull(controller) {
      if (offset >= afterBytes) return controller.error(new TypeError("connection reset by peer"));
      const end = Math.min(afterBytes, offset + 64 * 1024);
      controller.enqueue(bytes.slice(offset, end));
      offset = end;
    },
  }, { highWaterMark: 0 });
}

/** Random bytes, different at every call. */
export function randomFile(sizeBytes: number): Uint8Array {
  const block = randomBytes(Math.min(sizeBytes, MIB));
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at += block.byteLength) {
    bytes.set(block.subarray(0, Math.min(block.byteLength, sizeBytes - at)), at);
  }
  return bytes;
}

/** The SHA-256 in hexadecimal. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
