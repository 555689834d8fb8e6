// deno-lint-ignore-file no-console
/**
 * The catalog at size: fills a PostgreSQL with assets, then times the service's own queries on it,
 * beside the smallest possible query as yardstick.
 *
 *     deno run -A bench/catalog.ts                 # 200,000 assets on a private server
 *     deno run -A bench/catalog.ts --rows 5000000
 *     deno run -A bench/catalog.ts --url postgres://…   # on an empty database of your own, or on
 *                                                       # one that this has filled before
 *
 * The private server is set up as a small one of a provider is: {@linkcode SERVER_SETTINGS}.
 */
import { parseArgs } from "node:util";
import postgres from "postgres";
import { createAssetDirectory } from "../src/adapters/postgres/asset_directory.ts";
import { createDatabase, type Database } from "../src/adapters/postgres/database.ts";
import { createDeliveryCatalog } from "../src/adapters/postgres/delivery_catalog.ts";
import { migrateDatabase, readMigrations } from "../src/adapters/postgres/migrations.ts";
import { createUploadCatalog } from "../src/adapters/postgres/upload_catalog.ts";
import { createUuidV7 } from "../src/app/uuid_v7.ts";
import { startPostgresCluster } from "../tests/support/postgres_cluster.ts";
import { hashOf } from "../tests/support/seed_catalog.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    rows: { type: "string", default: "200000" },
    samples: { type: "string", default: "2000" },
    concurrency: { type: "string", default: "4" },
    url: { type: "string" },
  },
});
const rows = Number(values.rows);
const samples = Number(values.samples);
const concurrency = Number(values.concurrency);

const TENANTS = 20;
const CHUNK = 100_000;
const FILLERS = 2;

/** Every commit waits for the disk. Otherwise what one would set for 4 GiB of memory. */
const SERVER_SETTINGS: Readonly<Record<string, string>> = {
  fsync: "on",
  synchronous_commit: "on",
  shared_buffers: "1GB",
  max_wal_size: "4GB",
  checkpoint_timeout: "15min",
  wal_compression: "lz4",
};

/** Milliseconds of each run of an operation, sorted. */
async function measure(run: (index: number) => Promise<unknown>): Promise<number[]> {
  const durations: number[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (next < samples) {
      const index = next++;
      const startedAt = performance.now();
      await run(index);
      durations.push(performance.now() - startedAt);
    }
  }));
  return durations.sort((a, b) => a - b);
}

const UNLIMITED = { timeoutMs: 0, statementTimeoutMs: 0 };

/** How many assets there are; those that measuring has added are few. */
async function countFilled(database: Database): Promise<number> {
  return await database.transaction(async (sql) => {
    const [{ count }] = await sql<{ count: number }[]>`
      select count(*)::int as count from asset_portfolio`;
    return count;
  }, UNLIMITED);
}

async function fill(database: Database): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: FILLERS }, async () => {
    while (next < rows) {
      const from = next;
      next = Math.min(rows, from + CHUNK);
      await fillChunk(database, { from, last: next - 1 });
    }
  }));
}

async function fillChunk(
  database: Database,
  { from, last }: { readonly from: number; readonly last: number },
): Promise<void> {
  await database.transaction(async (sql) => {
    await sql`
      insert into asset_portfolio (content_hash, size_bytes, state, media_type, width, height,
        orientation, frames, bit_depth, color_model, has_alpha, thumb_hash, dominant_color)
      select sha256(n::text::bytea), 1000000 + n, case when n % 50 = 0 then 'ARCHIVED' else
        'READY' end, 'image/jpeg', 4032, 3024, 1, 1, 8, 'rgb', false,
        '\\x00112233445566778899aabbccddeeff0011223344', '#336699'
      from generate_series(${from}::int, ${last}::int) as n`;
    await sql`
      insert into asset_reference (id, tenant, content_hash, file_name, created_by, created_at)
      select gen_random_uuid(), 'tenant-' || n % ${TENANTS}::int, sha256(n::text::bytea),
        'IMG_' || n || '.jpg', 'key', now() - (${rows}::int - n) * interval '1 second'
      from generate_series(${from}::int, ${last}::int) as n`;
  }, UNLIMITED);
}

/** Does what the server would else do while one measures: it is a debt of the filling. */
async function settle(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe("vacuum (analyze)");
    await sql.unsafe("checkpoint");
  } finally {
    await sql.end();
  }
}

/** The three transactions of an upload, as the ingest runs them, around the bytes. */
function createInsert(database: Database) {
  const catalog = createUploadCatalog(database);
  const claims: number[] = [];
  const publishes: number[] = [];
  const facts = {
    mediaType: "image/jpeg",
    width: 4032,
    height: 3024,
    orientation: 1,
    frames: 1,
    bitDepth: 8,
    colorModel: "rgb",
    hasAlpha: false,
    iccName: "sRGB",
  };
  const runId = crypto.randomUUID();
  async function insert(index: number): Promise<void> {
    const contentHash = hashOf(`${runId} ${index}`);
    const attempt = { contentHash, attemptId: createUuidV7() };
    const reference = {
      referenceId: createUuidV7(),
      tenant: `tenant-${index % TENANTS}`,
      keyId: "key",
      fileName: "IMG.jpg",
    };
    let startedAt = performance.now();
    await catalog.claim({
      ...attempt,
      ...reference,
      sizeBytes: 1_000_000,
      leaseMs: 60_000,
      visibility: "public",
    });
    claims.push(performance.now() - startedAt);
    await catalog.verify(attempt, 60_000);
    startedAt = performance.now();
    await catalog.publish(attempt, facts, reference);
    publishes.push(performance.now() - startedAt);
  }
  const sorted = (durations: number[]) => durations.sort((a, b) => a - b);
  return { insert, claims: () => sorted(claims), publishes: () => sorted(publishes) };
}

function report(name: string, durations: readonly number[], yardstick: readonly number[]): void {
  const at = (sorted: readonly number[], part: number) => sorted[Math.floor(sorted.length * part)];
  const columns = [0.5, 0.95, 0.99].map((part) => at(durations, part).toFixed(2).padStart(8));
  const ratio = (at(durations, 0.5) / at(yardstick, 0.5)).toFixed(1).padStart(6);
  console.log(`${name.padEnd(42)}${columns.join("")}${ratio}×`);
}

async function run(url: string): Promise<void> {
  const database = createDatabase({ url, poolSize: concurrency });
  await migrateDatabase(database, await readMigrations());
  const startedAt = performance.now();
  const filled = await countFilled(database);
  if (filled > 0 && filled < rows) throw new Error(`There are ${filled} assets, not ${rows}`);
  if (filled === 0) await fill(database);
  await settle(url);
  const seconds = (performance.now() - startedAt) / 1000;
  const [{ size }] = await database.read((sql) =>
    sql<{ size: string }[]>`select pg_size_pretty(pg_database_size(current_database())) as size`
  );
  const how = filled === 0 ? `filled in ${seconds.toFixed(0)} s` : "filled before";
  console.log(`${rows} assets ${how}, ${size} on disk`);
  console.log(`${samples} samples, ${concurrency} at once; milliseconds, and the median as a`);
  console.log(`multiple of that of "select 1" as the service runs it\n`);
  console.log(`${"".padEnd(42)}     p50     p95     p99  ratio`);

  const delivery = createDeliveryCatalog(database);
  const directory = createAssetDirectory(database);
  const hashes = Array.from(
    { length: samples },
    () => hashOf(String(Math.floor(Math.random() * rows))),
  );
  const page = (index: number, filter: { state: "ARCHIVED" | null; mime: string | null }) =>
    directory.list(`tenant-${index % TENANTS}`, {
      filter,
      after: {
        createdAtUs: (Date.now() - Math.floor(Math.random() * rows * 900)) * 1000,
        assetId: crypto.randomUUID(),
      },
      limit: 50,
      lookAt: filter.state ? 2_000 : 50,
    });
  await measure((index) => delivery.find(hashes[index])); // warms the cache of the server
  const yardstick = await measure(() => database.read((sql) => sql`select 1`));
  report("select 1", yardstick, yardstick);
  report("lookup by hash", await measure((index) => delivery.find(hashes[index])), yardstick);
  report(
    "metadata by hash and tenant",
    await measure((index) =>
      directory.find(`tenant-${index % TENANTS}`, { by: "hash", hash: hashes[index] })
    ),
    yardstick,
  );
  const any = { state: null, mime: null };
  report("list page of 50, anywhere", await measure((index) => page(index, any)), yardstick);
  report(
    "list page, state=ARCHIVED (2 %)",
    await measure((index) => page(index, { state: "ARCHIVED", mime: null })),
    yardstick,
  );
  await database.write((sql) => sql`create table if not exists smallest (id uuid primary key)`);
  const smallest = await measure(() =>
    database.write((sql) => sql`insert into smallest values (gen_random_uuid())`)
  );
  report("smallest insert: a row of one column", smallest, yardstick);
  const { insert, claims, publishes } = createInsert(database);
  const whole = await measure(insert);
  report("insert (claim: content, reference, event)", claims(), yardstick);
  report("publish (READY with its facts)", publishes(), yardstick);
  report("all three transactions of an upload", whole, yardstick);
  await database.close();
}

if (values.url) {
  await run(values.url);
} else {
  const cluster = await startPostgresCluster(SERVER_SETTINGS);
  if (!cluster) Deno.exit(1);
  try {
    await run(cluster.url);
  } finally {
    await cluster.close();
  }
}
