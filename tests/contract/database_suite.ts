/** What every database has to do, embedded or real. */
import assert from "node:assert/strict";
import type { ContentHash } from "../../src/core/content_hash.ts";
import { AppError, hasCode } from "../../src/errors.ts";
import {
  createDatabase,
  type DatabaseEvent,
  lockContentHash,
} from "../../src/adapters/postgres/database.ts";
import { isUniqueViolation } from "../../src/adapters/postgres/database_errors.ts";
import {
  migrateDatabase,
  MigrationError,
  readMigrations,
} from "../../src/adapters/postgres/migrations.ts";
import { ensurePartitions } from "../../src/adapters/postgres/partitions.ts";
import type { TestDatabase } from "../support/test_database.ts";

const HASH = "ab".repeat(32) as ContentHash;

/** Registers the suite. `open` makes a fresh, migrated database. */
export function testDatabase(
  name: string,
  open: () => Promise<TestDatabase>,
): void {
  function test(what: string, run: (opened: TestDatabase) => Promise<void>): void {
    Deno.test(`createDatabase() on ${name} ${what}`, async () => {
      const opened = await open();
      try {
        await run(opened);
      } finally {
        await opened.close();
      }
    });
  }

  test("returns numbers, dates, bytes and arrays as their types say", async ({ database }) => {
    const [row] = await database.read((sql) =>
      sql`
        select 9007199254740991::bigint as big, '2026-03-01'::date as day,
          ${["a", 'b,"\\c']}::text[] as texts, '\\x00ff'::bytea as bytes,
          ${[1, 2]}::bigint[] as bigs, count(*) from asset_portfolio`
    );
    assert.equal(row.big, 9007199254740991);
    assert.equal(row.day, "2026-03-01");
    assert.deepEqual(row.texts, ["a", 'b,"\\c']);
    assert.deepEqual([...row.bytes], [0, 255]);
    assert.deepEqual(row.bigs, [1, 2]);
    assert.equal(row.count, 0);
  });

  test("commits what the work did, and rolls all of it back when it fails", async (opened) => {
    const { database } = opened;
    const insert = (day: string) =>
      database.transaction(async (sql) => {
        await lockContentHash(sql, HASH);
        await sql`insert into api_key_usage values ('k', ${day}, 1)`;
        if (day === "2026-01-02") throw new AppError("state_conflict", "No");
      });
    await insert("2026-01-01");
    await assert.rejects(insert("2026-01-02"), (error) => hasCode(error, "state_conflict"));
    const rows = await database.read((sql) => sql`select day from api_key_usage`);
    assert.deepEqual(rows.map((row) => row.day), ["2026-01-01"]);
  });

  test("refuses to report success when a failed statement was swallowed", async ({ database }) => {
    await assert.rejects(
      database.transaction(async (sql) => {
        await sql`insert into api_key_usage values ('k', '2026-01-01', 1)`;
        await sql`select 1 / 0`.catch(() => {});
      }),
      /swallowed/,
    );
    assert.equal((await database.read((sql) => sql`select 1 from api_key_usage`)).length, 0);
  });

  test("leaves the violation of a constraint to the caller", async ({ database }) => {
    await database.write((sql) => sql`insert into job_lease values ('a', 'x', 1, now())`);
    await assert.rejects(
      database.write((sql) => sql`insert into job_lease values ('a', 'y', 1, now())`),
      (error) => isUniqueViolation(error, "job_lease_pkey") && !isUniqueViolation(error, "other"),
    );
  });

  test("turns NUL in text into a client's error", async ({ database }) => {
    await assert.rejects(
      database.read((sql) => sql`select ${"a\0b"}::text`),
      (error) => hasCode(error, "invalid_request"),
    );
    assert.equal((await database.read((sql) => sql`select 1 as one`))[0].one, 1);
  });

  test("repeats a transaction that lost a race, a bounded number of times", async (opened) => {
    let runs = 0;
    const fail = (succeedAt: number) =>
      opened.database.transaction(async (sql) => {
        if (++runs < succeedAt) {
          await sql`do $$ begin raise exception 'lost' using errcode = '40001'; end $$`;
        }
        return runs;
      });
    assert.equal(await fail(3), 3);
    runs = 0;
    await assert.rejects(fail(100), (error) => hasCode(error, "catalog_unavailable"));
    assert.equal(runs, 5);
  });

  test("serves many callers with few connections", async ({ database }) => {
    const results = await Promise.all(
      Array.from(
        { length: 200 },
        (_, index) =>
          index % 2 === 0
            ? database.read((sql) => sql`select ${index}::int as n`).then((rows) => rows[0].n)
            : database.transaction(async (sql) => {
              await lockContentHash(sql, HASH);
              return (await sql`select ${index}::int as n`)[0].n;
            }),
      ),
    );
    assert.deepEqual(results, Array.from({ length: 200 }, (_, index) => index));
    assert.equal(database.stats.inUse, 0);
  });

  test("refuses within the bounded wait when all connections are taken", async (opened) => {
    const { url } = opened;
    await opened.database.close();
    const database = createDatabase({ url, poolSize: 1, poolWaitMs: 80, maxWaiting: 1 });
    try {
      const finish = Promise.withResolvers<void>();
      const started = Promise.withResolvers<void>();
      const busy = database.transaction(async (sql) => {
        await sql`select 1`;
        started.resolve();
        await finish.promise;
      });
      await started.promise;
      const isBusy = (error: unknown) =>
        hasCode(error, "catalog_unavailable") && error.retryAfterSeconds === 1;
      const refused: string[] = [];
      const attempt = (name: string) =>
        assert.rejects(
          database.read((sql) => sql`select 1`).catch((error) => {
            refused.push(name);
            throw error;
          }),
          isBusy,
        );
      await Promise.all([attempt("waiting"), attempt("one too many")]);
      assert.deepEqual(refused, ["one too many", "waiting"]);
      finish.resolve();
      await busy;
      assert.equal((await database.read((sql) => sql`select 1 as one`))[0].one, 1);
    } finally {
      await database.close();
    }
  });

  test("reports operations to the observer", async ({ url, poolSize, database: first }) => {
    await first.close();
    const events: DatabaseEvent[] = [];
    const database = createDatabase({ url, poolSize, observe: (event) => events.push(event) });
    try {
      await database.read((sql) => sql`select 1`, { name: "test.one" });
      await assert.rejects(database.write((sql) => sql`select 1 / 0`, { name: "test.bad" }));
      assert.deepEqual(events.map(({ kind, name, attempts }) => ({ kind, name, attempts })), [
        { kind: "read", name: "test.one", attempts: 1 },
        { kind: "write", name: "test.bad", attempts: 1 },
      ]);
      assert.equal(events[0].error, undefined);
      assert.ok(events[1].error instanceof Error);
    } finally {
      await database.close();
    }
  });

  test("ping() tells that writes are possible", async ({ database }) => {
    const health = await database.ping();
    assert.equal(health.readOnly, false);
    assert.ok(health.latencyMs > 0);
  });

  test("migrates once; names a file that was changed afterwards", async ({ database }) => {
    const migrations = await readMigrations();
    const again = await migrateDatabase(database, migrations);
    assert.deepEqual(again.applied, []);
    assert.deepEqual(again.alreadyApplied, migrations.map(({ id }) => id));

    const changed = migrations.map((one, index) => index === 0 ? { ...one, checksum: "0" } : one);
    await assert.rejects(
      migrateDatabase(database, changed),
      (error) =>
        error instanceof MigrationError && /0001_catalog.sql was changed/.test(error.message),
    );
    const extra = { id: "9999_extra", text: "create table extra (a int)", checksum: "1" };
    const extended = await migrateDatabase(database, [...migrations, extra]);
    assert.deepEqual(extended.applied, ["9999_extra"]);
    const older = await migrateDatabase(database, migrations);
    assert.deepEqual(older.unknown, ["9999_extra"]);
  });

  test("rolls a migration back as a whole when it fails", async ({ database }) => {
    const migrations = await readMigrations();
    const broken = {
      id: "9999_broken",
      text: "create table half (a int); select 1 / 0;",
      checksum: "1",
    };
    await assert.rejects(migrateDatabase(database, [...migrations, broken]));
    const [{ half }] = await database.read((sql) => sql`select to_regclass('half') as half`);
    assert.equal(half, null);
  });

  test("ensurePartitions() makes months ahead and empties the default", async ({ database }) => {
    const row = { content_hash: HASH };
    await database.write((sql) =>
      sql`
        insert into asset_event (content_hash, to_state, reason, actor, at)
        select decode(${row.content_hash}, 'hex'), 'READY', 'test', 'test', at
        from unnest(array[now() + interval '5 months', now() + interval '400 months']) as at`
    );
    const { created } = await ensurePartitions(database, { monthsAhead: 6 });
    assert.equal(created.length, 4);
    assert.deepEqual((await ensurePartitions(database, { monthsAhead: 6 })).created, []);
    const rows = await database.read((sql) =>
      sql`
        select tableoid::regclass::text as part, to_char(at at time zone 'utc', 'YYYY_MM') as month
        from asset_event order by at`
    );
    assert.equal(rows[0].part, `asset_event_${rows[0].month}`);
    assert.equal(rows[1].part, "asset_event_default");
  });
}
