/** Everything works through a pooler that gives each transaction another server connection. */
import assert from "node:assert/strict";
import type { ContentHash } from "../../src/core/content_hash.ts";
import { createDatabase, lockContentHash } from "../../src/adapters/postgres/database.ts";
import { migrateDatabase, readMigrations } from "../../src/adapters/postgres/migrations.ts";
import { type PgBouncer, startPgBouncer } from "../support/pgbouncer.ts";
import { type PostgresCluster, startPostgresCluster } from "../support/postgres_cluster.ts";

const HASH = "cd".repeat(32) as ContentHash;

let cluster: PostgresCluster | null = null;
let bouncer: PgBouncer | null = null;

Deno.test.beforeAll(async () => {
  cluster = await startPostgresCluster();
  if (cluster) bouncer = await startPgBouncer(cluster, { database: "postgres", poolSize: 3 });
});

Deno.test.afterAll(async () => {
  await bouncer?.close();
  await cluster?.close();
});

Deno.test("migrateDatabase() works through PgBouncer when three instances start at once", async () => {
  if (!bouncer) return;
  const { url } = bouncer;
  const migrations = await readMigrations();
  const reports = await Promise.all([1, 2, 3].map(async () => {
    const database = createDatabase({ url });
    try {
      return await migrateDatabase(database, migrations);
    } finally {
      await database.close();
    }
  }));
  const applied = reports.flatMap((report) => report.applied).sort();
  assert.deepEqual(applied, migrations.map(({ id }) => id));
});

Deno.test("Database keeps transactions, locks and settings apart through PgBouncer", async () => {
  if (!bouncer || !cluster) return;
  const database = createDatabase({ url: bouncer.url, poolSize: 20, statementTimeoutMs: 4_321 });
  const direct = createDatabase({ url: cluster.url });
  try {
    // 20 connections of ours share 3 of the server: each transaction may meet another session.
    await Promise.all(Array.from({ length: 200 }, async (_, index) => {
      if (index % 4 === 0) {
        const [row] = await database.read((sql) =>
          sql`select current_setting('statement_timeout') as timeout, ${index}::int as n`
        );
        assert.equal(row.n, index);
        assert.equal(row.timeout, "0", "a local setting outlived its transaction");
        return;
      }
      await database.transaction(async (sql) => {
        await lockContentHash(sql, HASH);
        const [{ timeout }] = await sql`select current_setting('statement_timeout') as timeout`;
        assert.equal(timeout, "4321ms");
        const [before] = await sql`select coalesce(max(token), 0) as token from job_lease`;
        await sql`
          insert into job_lease values ('counter', 'x', ${before.token + 1}, now())
          on conflict (name) do update set token = excluded.token`;
      });
    }));
    const [{ token }] = await direct.read((sql) => sql`select token from job_lease`);
    assert.equal(token, 150, "an increment under the lock was lost");
    const [{ prepared }] = await direct.read((sql) =>
      sql`select count(*) as prepared from pg_prepared_statements`
    );
    assert.equal(prepared, 0);
  } finally {
    await database.close();
    await direct.close();
  }
});

Deno.test("Database recovers when the server restarts behind PgBouncer", async () => {
  if (!bouncer || !cluster) return;
  const database = createDatabase({ url: bouncer.url, poolSize: 4 });
  try {
    const work = (n: number) =>
      database.transaction((sql) => sql`select ${n}::int as n`).then((rows) => rows[0].n);
    assert.equal(await work(1), 1);
    await cluster.stop("fast");
    await cluster.start();
    const results = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(work));
    assert.deepEqual(results, [1, 2, 3, 4, 5, 6, 7, 8]);
  } finally {
    await database.close();
  }
});
