/** The queries of the hot paths find their rows by index, in the one partition that holds them. */
import assert from "node:assert/strict";
import { createAssetDirectory } from "../../src/adapters/postgres/asset_directory.ts";
import { createDeliveryCatalog } from "../../src/adapters/postgres/delivery_catalog.ts";
import { createKeyCatalog } from "../../src/adapters/postgres/key_catalog.ts";
import { createPurgeOutbox } from "../../src/adapters/postgres/purge_outbox.ts";
import { createSweepCatalog } from "../../src/adapters/postgres/sweep_catalog.ts";
import { createAssetRemoval } from "../../src/adapters/postgres/asset_removal.ts";
import { createUploadCatalog } from "../../src/adapters/postgres/upload_catalog.ts";
import { createUploadQuota } from "../../src/adapters/postgres/upload_quota.ts";
import type { Database, Sql } from "../../src/adapters/postgres/database.ts";
import { type Plan, readPlan, type RelationScan } from "../support/query_plan.ts";
import { hashOf } from "../support/seed_catalog.ts";
import { openOnServer, requireRealPostgres } from "../support/test_database.ts";

const ROWS = 40_000;

/** Registers a step that explains each statement that `run` sends, and checks all scans. */
type Explain = (run: (database: Database) => Promise<unknown>) => Promise<Plan[]>;

const serverUrl = requireRealPostgres();
if (serverUrl) {
  Deno.test("the catalog's queries use their indexes", async (t) => {
    const opened = await openOnServer(serverUrl, { statementTimeoutMs: 60_000 });
    const { database } = opened;
    try {
      await fill(database);
      const explain: Explain = async (run) => {
        const plans: Plan[] = [];
        await run(explaining(database, plans)).catch(() => {});
        assert.ok(plans.length > 0, "nothing was explained");
        return plans;
      };
      const tenant = "tenant-1";
      const hash = hashOf("777");
      const after = { createdAtUs: Date.now() * 1000 - 20_000 * 1e6, assetId: crypto.randomUUID() };
      const filter = { state: null, mime: null };
      const page = { filter, after, limit: 50, lookAt: 50 };
      const cases: Record<string, (database: Database) => Promise<unknown>> = {
        "delivery by hash": (db) => createDeliveryCatalog(db).find(hash),
        "an asset by hash": (db) => createAssetDirectory(db).find(tenant, { by: "hash", hash }),
        "an asset by id": (db) =>
          createAssetDirectory(db).find(tenant, { by: "id", id: crypto.randomUUID() }),
        "the first page": (db) => createAssetDirectory(db).list(tenant, { ...page, after: null }),
        "a later page": (db) => createAssetDirectory(db).list(tenant, page),
        "a filtered page": (db) =>
          createAssetDirectory(db).list(tenant, {
            ...page,
            filter: { state: "ARCHIVED", mime: "image/png" },
            lookAt: 1_000,
          }),
        "stuck uploads": (db) => createSweepCatalog(db).listStuck(100),
        "a lease renewed": (db) =>
          createUploadCatalog(db).renew(
            { contentHash: hash, attemptId: crypto.randomUUID() },
            60_000,
          ),
        "a purge finished": (db) => createAssetRemoval(db).finish(hash, crypto.randomUUID()),
        "bytes of a day": (db) => createUploadQuota(db).reserve("key", 1, 100),
        "a key": (db) => createKeyCatalog(db).findActive(hash),
        "due purges": (db) => createPurgeOutbox(db).claim({ limit: 10, leaseMs: 1 }),
      };
      for (const [name, run] of Object.entries(cases)) {
        await t.step(`${name}: no sequential scan, and few rows read`, async () => {
          for (const plan of await explain(run)) {
            const scans = plan.scans.filter((scan) => scan.rowsRead > 0 || scan.loops > 0);
            assert.deepEqual(scans.filter(isLargeSequentialScan), []);
            const read = scans.reduce((sum, scan) => sum + scan.rowsRead, 0);
            assert.ok(read <= 2_500, `${read} rows read`);
          }
        });
      }
      await t.step("a lookup by hash touches one partition of 16", async () => {
        for (const name of ["delivery by hash", "an asset by hash"]) {
          const [plan] = await explain(cases[name]);
          const partitions = plan.scans.filter(({ relation }) =>
            /^asset_portfolio_\d\d$/.test(relation)
          );
          assert.equal(partitions.length, 1, name);
        }
      });
      await t.step("a page reads each content from its own partition", async () => {
        const [plan] = await explain(cases["a later page"]);
        const loops = plan.scans.filter(({ relation }) => relation.startsWith("asset_portfolio_"))
          .reduce((sum, scan) => sum + scan.loops, 0);
        assert.ok(loops <= 50, `${loops} probes for 50 rows: pruning at run time does not work`);
      });
      await t.step("events of a month are written to and read from its partition", async () => {
        const plans: Plan[] = [];
        await explaining(database, plans).read((sql) =>
          sql`
            select count(*) from asset_event
            where at >= date_trunc('month', now()) and at < now()
              and content_hash = decode(${hash}, 'hex')`
        ).catch(() => {});
        const touched = plans[0].scans.map(({ relation }) => relation);
        assert.equal(touched.length, 1);
        assert.match(touched[0], /^asset_event_\d{4}_\d\d$/);
      });
    } finally {
      await opened.close();
    }
  });
}

/** Small tables are rightly read as a whole. */
function isLargeSequentialScan(scan: RelationScan): boolean {
  return scan.type === "Seq Scan" && /^asset_/.test(scan.relation) && scan.loops > 0;
}

async function fill(database: Database): Promise<void> {
  await database.transaction(async (sql) => {
    await sql`
      insert into asset_portfolio (content_hash, size_bytes, state, media_type)
      select sha256(n::text::bytea), n, case when n % 1000 = 0 then 'UPLOADING' else 'READY' end,
        'image/png'
      from generate_series(1, ${ROWS}::int) as n`;
    await sql`
      insert into asset_reference (id, tenant, content_hash, created_at)
      select gen_random_uuid(), 'tenant-' || n % 4, sha256(n::text::bytea),
        now() - n * interval '1 second'
      from generate_series(1, ${ROWS}::int) as n`;
    await sql`
      insert into asset_event (content_hash, to_state, reason, actor)
      select sha256(n::text::bytea), 'READY', 'test', 'test'
      from generate_series(1, ${ROWS}::int) as n`;
  }, { timeoutMs: 0, statementTimeoutMs: 0 });
  await database.write((sql) => sql.unsafe("analyze"));
}

/** The same database, which explains statements instead of answering them. */
function explaining(database: Database, plans: Plan[]): Database {
  const explain = async (query: (sql: Sql) => PromiseLike<unknown>) => {
    await database.transaction(async (sql) => {
      plans.push(await readPlan(sql, query));
      throw new Error("explained"); // and undone
    });
  };
  return {
    ...database,
    read: explain as Database["read"],
    write: explain as Database["write"],
  };
}
