/** Commits rows to the embedded Postgres of a folder until it is killed; names each on stdout. */
import { startEmbeddedPostgres } from "../../../src/adapters/embedded/pglite.ts";
import { createDatabase } from "../../../src/adapters/postgres/database.ts";
import { migrateDatabase, readMigrations } from "../../../src/adapters/postgres/migrations.ts";

const embedded = await startEmbeddedPostgres({ dataDir: Deno.args[0] });
const database = createDatabase({ url: embedded.url, poolSize: 1 });
await migrateDatabase(database, await readMigrations());
const encoder = new TextEncoder();
for (let n = 0;; n++) {
  const name = `${Deno.args[1]}/${n}`;
  await database.transaction(async (sql) => {
    await sql`insert into job_lease values (${name}, 'writer', 1, now())`;
    await sql`insert into api_key_usage values (${name}, '2026-01-01', 1)`;
  });
  Deno.stdout.writeSync(encoder.encode(`${name}\n`));
}
