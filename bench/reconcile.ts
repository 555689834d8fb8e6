// deno-lint-ignore-file no-console
/**
 * Time and memory of a dry reconciliation at size: a real PostgreSQL on one side, on the other a
 * bucket that lists as fast as it can be read, in pages of 1,000 as S3 gives them.
 *
 *     deno run -A bench/reconcile.ts                # 1,000,000 assets
 *     deno run -A bench/reconcile.ts --rows 100000
 *
 * Hashes are spread evenly and ascend with the number of the asset, so that either side can be made
 * without sorting.
 */
import { parseArgs } from "node:util";
import { createDatabase, type Database } from "../src/adapters/postgres/database.ts";
import { createJobLeases } from "../src/adapters/postgres/job_leases.ts";
import { migrateDatabase, readMigrations } from "../src/adapters/postgres/migrations.ts";
import { createReconcileCatalog } from "../src/adapters/postgres/reconcile_catalog.ts";
import { createReconcileRecords } from "../src/adapters/postgres/reconcile_records.ts";
import type { ContentHash } from "../src/core/content_hash.ts";
import { formatRawKey } from "../src/core/object_keys.ts";
import type { ObjectInfo } from "../src/core/object_store.ts";
import type { ReconcileObjects } from "../src/reconcile/ports.ts";
import { createReconciler, DEFAULT_RECONCILE_LIMITS } from "../src/reconcile/reconciler.ts";
import { startPostgresCluster } from "../tests/support/postgres_cluster.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: { rows: { type: "string", default: "1000000" } },
});
const rows = Number(values.rows);
const STEP = Math.floor(2 ** 32 / rows);
/** Every so many objects, one is not there. */
const GAP = 50_000;
const CHUNK = 100_000;

function hashAt(index: number): ContentHash {
  return (index * STEP).toString(16).padStart(8, "0").padEnd(64, "0") as ContentHash;
}

async function fill(database: Database): Promise<void> {
  for (let from = 0; from < rows; from += CHUNK) {
    await database.transaction((sql) =>
      sql`
        insert into asset_portfolio (content_hash, size_bytes, state, media_type, state_changed_at)
        select decode(rpad(lpad(to_hex(i::bigint * ${STEP}), 8, '0'), 64, '0'), 'hex'), 1000,
          'READY', 'image/jpeg', now() - interval '9 days'
        from generate_series(${from}::int, ${Math.min(rows, from + CHUNK) - 1}::int) as i`, {
      timeoutMs: 0,
      statementTimeoutMs: 0,
    });
  }
  await database.write((sql) => sql`analyze asset_portfolio`);
}

const lastModifiedAt = new Date(Date.now() - 9 * 24 * 3_600_000);

async function* list(prefix: string): AsyncGenerator<ObjectInfo[], void, void> {
  const shard = parseInt(prefix.slice("raw/".length), 16);
  const first = Math.ceil(shard * 2 ** 24 / STEP);
  const end = Math.min(rows, Math.ceil((shard + 1) * 2 ** 24 / STEP));
  let page: ObjectInfo[] = [];
  for (let index = first; index < end; index++) {
    if (index % GAP === 0) continue;
    const key = formatRawKey(hashAt(index));
    page.push({ key, sizeBytes: 1000, lastModifiedAt, storageClass: "standard" });
    if (page.length === 1_000) {
      yield page;
      page = [];
      await Promise.resolve();
    }
  }
  if (page.length > 0) yield page;
}

const cluster = await startPostgresCluster();
if (cluster === null) Deno.exit(1);
const database = createDatabase({ url: cluster.url, poolSize: 2 });
try {
  await migrateDatabase(database, await readMigrations());
  await fill(database);
  const reconciler = createReconciler({
    catalog: createReconcileCatalog(database),
    records: createReconcileRecords(database),
    objects: { list } as unknown as ReconcileObjects,
    leases: createJobLeases(database),
    limits: { ...DEFAULT_RECONCILE_LIMITS, scrubSamples: 0 },
    newId: () => crypto.randomUUID(),
    monotonicMs: () => performance.now(),
    random: Math.random,
    reportFailure: console.error,
  });
  const before = Deno.memoryUsage().rss;
  let peak = before;
  const watch = setInterval(() => peak = Math.max(peak, Deno.memoryUsage().rss), 50);
  const startedMs = performance.now();
  const { done } = await reconciler.start({ dryRun: true, requestedBy: "bench" });
  const { counts } = await done;
  clearInterval(watch);
  const seconds = (performance.now() - startedMs) / 1000;
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(0);
  console.log(`${counts!.rows} rows, ${counts!.objects} objects, ${counts!.found.missing} missing`);
  console.log(`${seconds.toFixed(1)} s, ${(rows / seconds / 1000).toFixed(0)} thousand rows/s`);
  console.log(`resident: ${mib(before)} MiB before, at most ${mib(peak)} MiB meanwhile`);
} finally {
  await database.close();
  await cluster.close();
}
