/**
 * What must hold after every fault, once traffic has stopped: checked on the database and the
 * store themselves, by no code of the service.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type AssetState, canTransition } from "../../src/core/asset_state.ts";
import type { ContentHash } from "../../src/core/content_hash.ts";
import { formatRawKey, parseRawKey } from "../../src/core/object_keys.ts";
import type { ObjectStore } from "../../src/core/object_store.ts";
import type { Database } from "../../src/adapters/postgres/database.ts";

/** What is looked at. */
export interface Scene {
  readonly database: Database;
  readonly objects: ObjectStore;
}

/** How strict to be. */
export interface InvariantOptions {
  /** Uploads that were answered 2xx: they must be there now and for ever. */
  readonly acknowledged?: readonly { readonly tenant: string; readonly hash: string }[] | undefined;
  /** The sweep has not run yet: rows between states and leftovers in staging are allowed. */
  readonly beforeSweep?: boolean | undefined;
  /** Reads only the bytes of these; of the others it asks the store for their size. */
  readonly readOnly?: readonly string[] | undefined;
}

interface Row {
  readonly hash: ContentHash;
  readonly state: AssetState;
  readonly sizeBytes: number;
}

/**
 * Fails with every violation of these:
 * I1 a READY row has an object with its size and SHA-256; I2 no object in `raw/` without a row;
 * I3 no row between states; I4 states move along allowed edges, one winner each, and the events tell
 * how; I5 what was acknowledged is READY and referred to; I7 nothing is left in staging, no multipart
 * upload open, no stream session; I8 one row and one object per hash.
 */
export async function assertInvariants(
  scene: Scene,
  options: InvariantOptions = {},
): Promise<void> {
  const rows = await readRows(scene.database);
  const problems = [
    ...await findBadObjects(scene, rows, options.readOnly),
    ...await findUnownedObjects(scene, rows),
    ...await findBadHistories(scene.database, rows),
    ...await findLostUploads(scene.database, options.acknowledged ?? []),
  ];
  if (!options.beforeSweep) {
    problems.push(
      ...rows.filter(({ state }) => state === "UPLOADING" || state === "VERIFIED")
        .map(({ hash, state }) => `I3 ${hash} is ${state}`),
    );
    problems.push(...await findLeftovers(scene));
  }
  assert.deepEqual(problems, []);
}

/** Every content row. */
export async function readRows(database: Database): Promise<Row[]> {
  return await database.read((sql) =>
    sql<Row[]>`
      select encode(content_hash, 'hex') as hash, state, size_bytes as "sizeBytes"
      from asset_portfolio order by content_hash`
  );
}

/** Every key in the store under a prefix. */
export async function readKeys(objects: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of objects.list(prefix)) keys.push(...page.map(({ key }) => key));
  return keys;
}

async function findBadObjects(
  { objects }: Scene,
  rows: readonly Row[],
  readOnly?: readonly string[],
): Promise<string[]> {
  const problems: string[] = [];
  for (const { hash, state, sizeBytes } of rows) {
    if (state !== "READY") continue;
    const head = await objects.head(formatRawKey(hash));
    if (head === null) problems.push(`I1 ${hash} is READY without an object`);
    else if (head.sizeBytes !== sizeBytes) {
      problems.push(`I1 ${hash} has ${head.sizeBytes} bytes for ${sizeBytes}`);
    } else if (readOnly?.includes(hash) !== false && await hashStored(objects, hash) !== hash) {
      problems.push(`I1 ${hash} has other bytes`);
    }
  }
  return problems;
}

async function hashStored(objects: ObjectStore, hash: ContentHash): Promise<string | null> {
  const body = await objects.get(formatRawKey(hash));
  if (body === null) return null;
  const digest = createHash("sha256");
  for await (const chunk of body.stream) digest.update(chunk);
  return digest.digest("hex");
}

async function findUnownedObjects({ objects }: Scene, rows: readonly Row[]): Promise<string[]> {
  const known = new Set<string>(rows.map(({ hash }) => hash));
  const keys = await readKeys(objects, "raw/");
  return [
    ...keys.filter((key) => !known.has(parseRawKey(key) ?? "")).map((key) =>
      `I2 ${key} has no row`
    ),
    ...(await readKeys(objects, "quarantine/")).map((key) => `I8 ${key} is kept twice`),
  ];
}

async function findBadHistories(database: Database, rows: readonly Row[]): Promise<string[]> {
  const events = await database.read((sql) =>
    sql<{ hash: string; from: AssetState | null; to: AssetState }[]>`
      select encode(content_hash, 'hex') as hash, from_state as "from", to_state as "to"
      from asset_event order by at, tableoid, ctid`
  );
  const problems: string[] = [];
  const states = new Map<string, AssetState>();
  for (const { hash, from, to } of events) {
    const before = states.get(hash) ?? null;
    if (before !== from) problems.push(`I4 ${hash}: ${from} → ${to} after ${before}`);
    if (from !== null && !canTransition(from, to)) problems.push(`I4 ${hash}: ${from} → ${to}`);
    states.set(hash, to);
  }
  for (const { hash, state } of rows) {
    if (states.get(hash) !== state) {
      problems.push(`I4 ${hash} is ${state}, its events say ${states.get(hash)}`);
    }
  }
  return problems;
}

async function findLostUploads(
  database: Database,
  acknowledged: NonNullable<InvariantOptions["acknowledged"]>,
): Promise<string[]> {
  const problems: string[] = [];
  for (const { tenant, hash } of acknowledged) {
    const rows = await database.read((sql) =>
      sql`
        select 1 from asset_reference join asset_portfolio using (content_hash)
        where tenant = ${tenant} and content_hash = decode(${hash}, 'hex') and state = 'READY'`
    );
    if (rows.length !== 1) problems.push(`I5 ${tenant} was told to have ${hash}`);
  }
  return problems;
}

async function findLeftovers({ database, objects }: Scene): Promise<string[]> {
  const problems = (await readKeys(objects, "staging/")).map((key) => `I7 ${key} is left`);
  for await (const { key } of objects.listMultipartUploads("")) problems.push(`I7 ${key} is open`);
  const sessions = await database.read((sql) =>
    sql<{ id: string; state: string }[]>`
      select id, state from upload_session
      where kind = 'stream' or lease_expires_at is not null or state = 'completing'`
  );
  problems.push(...sessions.map(({ id, state }) => `I7 session ${id} is ${state}`));
  if (database.stats.inUse > 0) problems.push(`I7 ${database.stats.inUse} connections in use`);
  return problems;
}
