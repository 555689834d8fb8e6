/** Postgres dies, restarts, hangs or turns read-only: real server, real sockets. */
import assert from "node:assert/strict";
import { hasCode } from "../../src/errors.ts";
import { createAssetDirectory } from "../../src/adapters/postgres/asset_directory.ts";
import {
  createDatabase,
  type Database,
  lockContentHash,
} from "../../src/adapters/postgres/database.ts";
import { startFaultProxy } from "../support/fault_proxy.ts";
import { type PostgresCluster, startPostgresCluster } from "../support/postgres_cluster.ts";
import { hashOf, seedAsset } from "../support/seed_catalog.ts";
import { openOnServer } from "../support/test_database.ts";

const isUnavailable = (error: unknown) => hasCode(error, "catalog_unavailable");

/** One server for the tests of this file; each that needs tables gets a database of its own. */
let shared: PostgresCluster | null = null;

Deno.test.beforeAll(async () => {
  shared = await startPostgresCluster();
});

Deno.test.afterAll(async () => {
  await shared?.close();
});

async function withCluster(run: (cluster: PostgresCluster) => Promise<void>): Promise<void> {
  if (!shared) return;
  const opened = await openOnServer(shared.url);
  try {
    await run({ ...shared, url: opened.url });
  } finally {
    await opened.close();
  }
}

async function closing(database: Database, run: (database: Database) => Promise<void>) {
  try {
    await run(database);
  } finally {
    await database.close({ timeoutMs: 0 });
  }
}

/** Ends every other session of this database, as a fail-over would. */
const terminateOthers = (database: Database) =>
  database.read((sql) =>
    sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where pid <> pg_backend_pid() and application_name = 'victim'`
  );

Deno.test("Database.read() survives the end of every idle connection", async () => {
  await withCluster(async ({ url }) => {
    const control = createDatabase({ url });
    const victim = createDatabase({ url, poolSize: 3, applicationName: "victim" });
    await closing(control, () =>
      closing(victim, async () => {
        const readAll = () =>
          Promise.all([1, 2, 3].map(() => victim.read((sql) => sql`select pg_sleep(0.02)`)));
        await readAll();
        await terminateOthers(control);
        await readAll();
      }));
  });
});

Deno.test("Database.read() repeats once what was killed while it ran", async () => {
  await withCluster(async ({ url }) => {
    const control = createDatabase({ url });
    let attempts = 0;
    const victim = createDatabase({
      url,
      applicationName: "victim",
      observe: (event) => attempts = event.attempts,
    });
    await closing(control, () =>
      closing(victim, async () => {
        const reading = victim.read((sql) => sql`select pg_sleep(0.5), 1 as one`);
        await new Promise((resolve) => setTimeout(resolve, 200));
        await terminateOthers(control);
        assert.equal((await reading)[0].one, 1);
        assert.equal(attempts, 2);
      }));
  });
});

/**
 * The driver hands a dead connection on and lets the rest of the old transaction (its ROLLBACK
 * too) run inside the next one's (porsager/postgres issue 1155).
 */
Deno.test("Database.transaction() runs nothing outside itself when its connection is killed", async () => {
  await withCluster(async ({ url }) => {
    const control = createDatabase({ url });
    const victim = createDatabase({ url, poolSize: 1, applicationName: "victim" });
    await closing(control, () =>
      closing(victim, async () => {
        for (let round = 0; round < 20; round++) {
          let runs = 0;
          const day = `2026-01-${String(round + 1).padStart(2, "0")}`;
          const killed = victim.transaction(async (sql) => {
            runs++;
            await sql`insert into api_key_usage values ('first', ${day}, 1)`;
            if (runs === 1) {
              await terminateOthers(control);
              // A careless caller: goes on although its connection is gone.
              await sql`insert into api_key_usage values ('stray', ${day}, 1)`.catch(() => {});
              await sql`insert into api_key_usage values ('stray2', ${day}, 1)`;
            }
          });
          // Waits for the one connection and starts as soon as the dead one is given back.
          const next = victim.transaction(async (sql) => {
            await sql`insert into api_key_usage values ('next', ${day}, 1)`;
            await new Promise((resolve) => setTimeout(resolve, 5));
            await sql`insert into api_key_usage values ('next2', ${day}, 1)`;
          });
          await Promise.all([killed, next]);
        }
        const counts = await control.read((sql) =>
          sql`select key_id, count(*) from api_key_usage group by 1 order by 1`
        );
        assert.deepEqual(counts.map((row) => ({ ...row })), [
          { key_id: "first", count: 20 },
          { key_id: "next", count: 20 },
          { key_id: "next2", count: 20 },
        ]);
        // The client is left with nothing open: no session sits in a transaction.
        const [{ open }] = await control.read((sql) =>
          sql`
            select count(*) as open from pg_stat_activity
            where application_name = 'victim' and state like 'idle in transaction%'`
        );
        assert.equal(open, 0);
      }));
  });
});

Deno.test("Database.transaction() reports a COMMIT whose answer was lost, and does not repeat it", async () => {
  await withCluster(async ({ url }) => {
    await closing(createDatabase({ url }), async (control) => {
      await withProxy(url, async (victim, proxy) => {
        let runs = 0;
        const add = (id: string) =>
          victim.transaction(async (sql) => {
            runs++;
            await sql`insert into job_lease values (${id}, 'x', 1, now())`;
          });
        await add("warm");
        runs = 0;
        proxy.cutOn("commit", "after");
        await assert.rejects(add("lost-answer"), isUnavailable);
        proxy.cutOn("commit", "instead");
        await assert.rejects(add("lost-request"), isUnavailable);
        assert.equal(runs, 2);
        // A connection lost before COMMIT is safe to repeat.
        proxy.cutOn("insert into job_lease", "after");
        await add("lost-insert");
        const names = await control.read((sql) => sql`select name from job_lease order by name`);
        assert.deepEqual(names.map((row) => row.name), ["lost-answer", "lost-insert", "warm"]);
      });
    });
  });
});

async function withProxy(
  url: string,
  run: (victim: Database, proxy: ReturnType<typeof startFaultProxy>) => Promise<void>,
) {
  const { port } = new URL(url);
  await using proxy = startFaultProxy(Number(port));
  const victim = createDatabase({
    url: url.replace(`:${port}/`, `:${proxy.port}/`),
    poolSize: 2,
    connectTimeoutMs: 400,
    statementTimeoutMs: 300,
    transactionTimeoutMs: 900,
    applicationName: "victim",
  });
  try {
    await run(victim, proxy);
  } finally {
    await victim.close({ timeoutMs: 0 });
  }
}

Deno.test("Database answers in bounded time while the server is silent, and recovers by itself", async () => {
  await withCluster(async ({ url }) => {
    await withProxy(url, async (victim, proxy) => {
      const operations = () => [
        victim.read((sql) => sql`select 1`),
        victim.write((sql) => sql`update job_lease set token = 1`),
        victim.transaction((sql) => sql`select 1`),
      ];
      await Promise.all(operations());
      proxy.setMode("silent");
      const startedAt = performance.now();
      for (const result of await Promise.allSettled(operations())) {
        assert.ok(result.status === "rejected" && isUnavailable(result.reason));
      }
      assert.ok(performance.now() - startedAt < 5_000);
      proxy.setMode("refuse");
      proxy.cutAll();
      for (const result of await Promise.allSettled(operations())) {
        assert.ok(result.status === "rejected" && isUnavailable(result.reason));
      }
      proxy.setMode("pass");
      await Promise.all(operations());
      assert.equal(victim.stats.inUse, 0);
    });
  });
});

Deno.test("Database recovers from a crash and restart of the server under load", async () => {
  await withCluster(async (cluster) => {
    const database = createDatabase({ url: cluster.url, poolSize: 4, connectTimeoutMs: 1_000 });
    await closing(database, async () => {
      let stopped = false;
      const outcomes = { confirmed: 0, unavailable: 0 };
      const workers = Array.from({ length: 8 }, async (_, worker) => {
        for (let n = 0; !stopped; n++) {
          try {
            await database.transaction(async (sql) => {
              await sql`insert into job_lease values (${`${worker}/${n}`}, 'a', 1, now())`;
              await sql`insert into api_key_usage values (${`${worker}/${n}`}, '2026-01-01', 1)`;
            });
            outcomes.confirmed++;
          } catch (error) {
            assert.ok(isUnavailable(error), String(error));
            outcomes.unavailable++;
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        }
      });
      for (let round = 0; round < 2; round++) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        await cluster.stop("immediate");
        await new Promise((resolve) => setTimeout(resolve, 100));
        await cluster.start();
      }
      const confirmedBefore = outcomes.confirmed;
      await new Promise((resolve) => setTimeout(resolve, 500));
      stopped = true;
      await Promise.all(workers);
      assert.ok(outcomes.unavailable > 0, "the crash was noticed");
      assert.ok(outcomes.confirmed > confirmedBefore, "work went on after the restart");
      const [counts] = await database.read((sql) =>
        sql`
          select (select count(*) from job_lease) as leases,
            (select count(*) from api_key_usage) as usages,
            (select count(*) from job_lease join api_key_usage on name = key_id) as pairs`
      );
      // Whole transactions only; each confirmed one is there (a lost answer may add some).
      assert.equal(counts.leases, counts.pairs);
      assert.equal(counts.usages, counts.pairs);
      assert.ok(counts.pairs >= outcomes.confirmed);
      assert.ok(counts.pairs <= outcomes.confirmed + outcomes.unavailable);
    });
  });
});

Deno.test("Database.transaction() gives up a lock in bounded time, and its connection is clean", async () => {
  await withCluster(async ({ url }) => {
    const holder = createDatabase({ url });
    const victim = createDatabase({
      url,
      poolSize: 1,
      lockTimeoutMs: 150,
      applicationName: "victim",
    });
    await closing(holder, () =>
      closing(victim, async () => {
        const hash = hashOf("locked");
        const [{ pid }] = await victim.read((sql) => sql`select pg_backend_pid() as pid`);
        await holder.transaction(async (sql) => {
          await lockContentHash(sql, hash);
          let runs = 0;
          await assert.rejects(
            victim.transaction(() => Promise.resolve(runs++), { lockContent: hash }),
            isUnavailable,
          );
          assert.equal(runs, 0, "the work began without the lock");
          // The session is still there, and no transaction is left open on it.
          const [session] = await sql`select state from pg_stat_activity where pid = ${pid}`;
          assert.equal(session?.state, "idle");
        });
        assert.equal(
          await victim.transaction(() => Promise.resolve("done"), { lockContent: hash }),
          "done",
        );
      }));
  });
});

Deno.test("Database maps a read-only server to catalog_unavailable; reads go on", async () => {
  await withCluster(async ({ url }) => {
    const control = createDatabase({ url });
    await closing(control, async () => {
      await control.write((sql) =>
        sql.unsafe(`alter database ${new URL(url).pathname.slice(1)}
          set default_transaction_read_only = on`)
      );
      await closing(createDatabase({ url }), async (database) => {
        await assert.rejects(
          database.write((sql) => sql`update job_lease set token = 2`),
          isUnavailable,
        );
        await assert.rejects(
          database.transaction((sql) => sql`update job_lease set token = 2`),
          isUnavailable,
        );
        assert.equal((await database.ping()).readOnly, true);
      });
    });
  });
});

Deno.test("Database.read() cancels a statement that takes too long, and frees the server", async () => {
  await withCluster(async ({ url }) => {
    const database = createDatabase({
      url,
      connectTimeoutMs: 100,
      statementTimeoutMs: 200,
      applicationName: "victim",
    });
    await closing(createDatabase({ url }), async (control) => {
      await closing(database, async () => {
        await assert.rejects(database.read((sql) => sql`select pg_sleep(30)`), isUnavailable);
        await assert.rejects(
          database.transaction((sql) => sql`select pg_sleep(30)`),
          isUnavailable,
        );
        await new Promise((resolve) => setTimeout(resolve, 200));
        const running = await control.read((sql) =>
          sql`
            select query from pg_stat_activity
            where application_name = 'victim' and state = 'active'`
        );
        assert.deepEqual([...running], []);
      });
    });
  });
});

Deno.test("Database.read() goes to the replica only when told that lag is fine, and falls back", async () => {
  await withCluster(async (primary) => {
    const other = await startPostgresCluster({ cluster_name: "replica" });
    assert.ok(other);
    try {
      const database = createDatabase({ url: primary.url, replicaUrl: other.url });
      await closing(database, async () => {
        const whoAnswers = async (tolerateLag: boolean) => {
          const [row] = await database.read(
            (sql) => sql`select current_setting('cluster_name') as name`,
            { tolerateLag },
          );
          return row.name;
        };
        assert.equal(await whoAnswers(true), "replica");
        assert.equal(await whoAnswers(false), "");
        await other.stop("fast");
        assert.equal(await whoAnswers(true), "");
      });
    } finally {
      await other.close();
    }
  });
});

Deno.test("createAssetDirectory() finds on the primary what the replica does not have yet", async () => {
  if (!shared) return;
  const [primary, lagging] = await Promise.all([
    openOnServer(shared.url),
    openOnServer(shared.url),
  ]);
  const database = createDatabase({ url: primary.url, replicaUrl: lagging.url });
  try {
    const hash = hashOf("fresh");
    const id = await seedAsset(primary.database, { tenant: "a", hash });
    const directory = createAssetDirectory(database);
    assert.equal((await directory.find("a", { by: "hash", hash }))?.assetId, id);
    assert.equal(await directory.find("b", { by: "hash", hash }), null);
    const page = { filter: { state: null, mime: null }, after: null, limit: 10, lookAt: 10 };
    assert.deepEqual(
      (await directory.list("a", page)).found,
      [],
      "a list may be as old as the lag",
    );
  } finally {
    await database.close();
    await primary.close();
    await lagging.close();
  }
});
