/**
 * Acting at scale: 100,000 rows in a real PostgreSQL, as many objects, every kind of drift among
 * them, one run that repairs all shards. The objects are in memory, as a bucket would show them;
 * runs on a disk and on S3 have tests of their own.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Database } from "../../../src/adapters/postgres/database.ts";
import type { ContentHash } from "../../../src/core/content_hash.ts";
import { formatRawKey } from "../../../src/core/object_keys.ts";
import type { ObjectHead } from "../../../src/core/object_store.ts";
import type { StorageClass } from "../../../src/core/storage_class.ts";
import type { ReconcileObjects } from "../../../src/reconcile/ports.ts";
import { createPostgresReconciler } from "../../support/postgres_reconciler.ts";
import { openOnServer, requireRealPostgres } from "../../support/test_database.ts";

const OBJECTS = 100_000;
const DAY_MS = 24 * 3_600_000;
/** One asset in so many drifts, one kind after the other. */
const EVERY = 400;

const KINDS = ["missing", "orphan", "resized", "cooled", "warmed", "back", "impostor"] as const;
type Kind = (typeof KINDS)[number];

const textOf = (index: number) => `asset ${index}`;
const hashOf = (index: number) =>
  createHash("sha256").update(textOf(index)).digest("hex") as ContentHash;
const kindOf = (index: number): Kind | null =>
  index % EVERY === 0 ? KINDS[(index / EVERY) % KINDS.length] : null;

/** The rows, by the same rule in SQL; `state` and `flagged` as {@linkcode kindOf} plants them. */
async function insertRows(database: Database): Promise<void> {
  await database.transaction((sql) =>
    sql`
      insert into asset_portfolio (content_hash, size_bytes, state, media_type, storage_class,
        state_changed_at)
      select sha256(text::bytea), length(text),
        case kind when 'warmed' then 'ARCHIVED' when 'back' then 'MISSING'
          when 'impostor' then 'MISSING' else 'READY' end,
        'text/plain', case kind when 'warmed' then 'archive' end, now() - interval '9 days'
      from (
        select 'asset ' || i as text, case when i % ${EVERY} = 0
          then (${KINDS}::text[])[(i / ${EVERY}) % ${KINDS.length} + 1] end as kind
        from generate_series(0, ${OBJECTS - 1}) as i
      ) as asset
      where kind is distinct from 'orphan'`, { timeoutMs: 0, statementTimeoutMs: 0 });
}

interface Stored {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly storageClass: StorageClass;
  readonly lastModifiedAt: Date;
}

/** A bucket in memory: keys in byte order, pages of 1,000. */
function createBucket() {
  const stored = new Map<string, Stored>();
  const encoder = new TextEncoder();
  const describe = (key: string, { bytes, ...rest }: Stored): ObjectHead => ({
    ...rest,
    key,
    sizeBytes: bytes.byteLength,
    etag: `"${key}"`,
    sha256: null,
    restore: null,
  });
  let shards: Map<string, string[]> | null = null;
  const objects: ReconcileObjects = {
    async *list(prefix) {
      shards ??= Map.groupBy([...stored.keys()].sort(), (key) => key.slice(0, "raw/ab/".length));
      const page = shards.get(prefix) ?? [];
      for (let at = 0; at < page.length; at += 1000) {
        await Promise.resolve();
        yield page.slice(at, at + 1000).map((key) => describe(key, stored.get(key)!));
      }
    },
    head(key) {
      const found = stored.get(key);
      return Promise.resolve(found ? describe(key, found) : null);
    },
    get(key) {
      const found = stored.get(key);
      if (!found) return Promise.resolve(null);
      const { bytes, lastModifiedAt } = found;
      const sizeBytes = bytes.byteLength;
      const stream = ReadableStream.from([bytes]);
      return Promise.resolve({
        stream,
        sizeBytes,
        totalBytes: sizeBytes,
        etag: key,
        lastModifiedAt,
      });
    },
    copy(from, to) {
      stored.set(to, stored.get(from)!);
      return Promise.resolve({ created: true });
    },
    delete: (key) => Promise.resolve(void stored.delete(key)),
    deleteMany: () => Promise.resolve({ failedKeys: [] }),
  };
  const add = (key: string, text: string, storageClass: StorageClass = "standard") =>
    stored.set(key, {
      bytes: encoder.encode(text),
      storageClass,
      lastModifiedAt: new Date(Date.now() - 9 * DAY_MS),
    });
  return { objects, stored, add };
}

/** What each kind becomes: the row's state and flag, and whether the object is still in its place. */
const OUTCOMES: Readonly<Record<Kind, readonly [state: string, flagged: string | null]>> = {
  missing: ["MISSING", null],
  orphan: ["DELETED", null],
  resized: ["READY", "size_mismatch"],
  cooled: ["ARCHIVED", null],
  warmed: ["READY", null],
  back: ["READY", null],
  impostor: ["MISSING", "hash_mismatch"],
};

async function readDrifted(database: Database) {
  const rows = await database.read((sql) =>
    sql<{ hash: ContentHash; state: string; flagged: string | null }[]>`
      select encode(content_hash, 'hex') as hash, state, flagged from asset_portfolio
      where state_changed_at > now() - interval '1 day' or state <> 'READY'
        or flagged is not null`
  );
  return new Map(rows.map(({ hash, state, flagged }) => [hash, [state, flagged]]));
}

const serverUrl = requireRealPostgres();

Deno.test({
  name: "reconciliation settles exactly what drifted among 100,000 assets",
  ignore: serverUrl === null,
  async fn() {
    const opened = await openOnServer(serverUrl!, { poolSize: 5 });
    const { database } = opened;
    const { objects, stored, add } = createBucket();
    const planted = new Map<ContentHash, Kind>();
    for (let index = 0; index < OBJECTS; index++) {
      const hash = hashOf(index);
      const kind = kindOf(index);
      if (kind) planted.set(hash, kind);
      if (kind === "missing") continue;
      const text = kind === "impostor" ? textOf(index).toUpperCase() : textOf(index);
      add(
        formatRawKey(hash),
        kind === "resized" ? `${text}!` : text,
        kind === "cooled" ? "archive" : "standard",
      );
    }
    await insertRows(database);

    const reconciler = createPostgresReconciler(database, {
      objects,
      limits: { scrubSamples: 0 },
      reportFailure: (event, { error }) => assert.fail(`${event}: ${error}`),
    });
    const { done } = await reconciler.start({ repair: true, requestedBy: "test" });
    const { counts, status } = await done;
    await reconciler.close();

    assert.equal(status, "finished");
    const changed = await readDrifted(database);
    const expected = [...planted].map(([hash, kind]) => [hash, [...OUTCOMES[kind]]] as const);
    assert.deepEqual([...changed].sort(), expected.sort());
    const missing = [...planted.values()].filter((kind) => kind === "missing").length;
    const orphans = [...planted].filter(([, kind]) => kind === "orphan").map(([hash]) => hash);
    assert.equal(counts!.acted.orphan, orphans.length);
    assert.equal(counts!.errors + counts!.postponed + counts!.left, 0);
    assert.equal(stored.size, OBJECTS - missing, "nothing was lost");
    for (const hash of orphans) {
      assert.ok(!stored.has(formatRawKey(hash)));
      assert.ok(stored.has(`quarantine/${formatRawKey(hash)}`));
    }
    await opened.close();
  },
});
