/** A reconciliation that is killed with SIGKILL goes on where it was. */
import assert from "node:assert/strict";
import { createReconcileRecords } from "../../../src/adapters/postgres/reconcile_records.ts";
import { createDiskObjectStore } from "../../../src/adapters/disk/disk_object_store.ts";
import type { Database } from "../../../src/adapters/postgres/database.ts";
import { createPostgresReconciler } from "../../support/postgres_reconciler.ts";
import { hashOf } from "../../support/seed_catalog.ts";
import { openOnServer, requireRealPostgres } from "../../support/test_database.ts";

const CHILD = new URL("../children/reconcile_slowly.ts", import.meta.url);
const ROWS = 600;

async function readCursor(database: Database): Promise<{ id: string; nextShard: number } | null> {
  const [run] = await database.read((sql) =>
    sql<{ id: string; nextShard: number }[]>`
      select id, next_shard as "nextShard" from reconcile_run where status = 'running'`
  );
  return run ?? null;
}

const serverUrl = requireRealPostgres();
if (serverUrl) {
  Deno.test("a run that is killed goes on at its cursor, and everything is settled once", async () => {
    const { database, url, close } = await openOnServer(serverUrl);
    const root = await Deno.makeTempDir({ prefix: "facet-reconcile-" });
    try {
      for (let i = 0; i < ROWS; i++) {
        await database.write((sql) =>
          sql`
            insert into asset_portfolio (content_hash, size_bytes, state, state_changed_at)
            values (decode(${hashOf(`row ${i}`)}, 'hex'), 1, 'READY', now() - interval '9 days')`
        );
      }
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", CHILD.href, JSON.stringify({ databaseUrl: url, root })],
        stdout: "null",
        stderr: "null",
      }).spawn();
      const status = child.status;
      let killed = await readCursor(database);
      while (killed === null || killed.nextShard < 40) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        killed = await readCursor(database);
      }
      child.kill("SIGKILL");
      await status;
      killed = (await readCursor(database))!;
      assert.equal((await createReconcileRecords(database).findOpen())?.id, killed.id);
      // As if its lease had run out.
      await database.write((sql) => sql`update job_lease set expires_at = now()`);
      const objects = createDiskObjectStore({ root });
      const reconciler = createPostgresReconciler(database, {
        objects,
        limits: { graceMs: 0 },
        reportFailure: (event) => assert.fail(event),
      });
      const { run, done } = await reconciler.start({ repair: true, requestedBy: "test" });
      assert.equal(run.id, killed.id);
      assert.ok(run.nextShard >= 40 && run.nextShard < 256);
      const { counts } = await done;
      assert.equal(counts!.rows, ROWS);
      assert.equal(await createReconcileRecords(database).findOpen(), null);
      const [missing] = await database.read((sql) =>
        sql`select count(*) as rows from asset_portfolio where state = 'MISSING'`
      );
      const [events] = await database.read((sql) =>
        sql`select count(*) as events, count(distinct content_hash) as rows from asset_event`
      );
      assert.deepEqual([missing.rows, events.events, events.rows], [ROWS, ROWS, ROWS]);
      await objects.close();
    } finally {
      await close();
      await Deno.remove(root, { recursive: true });
    }
  });
}
