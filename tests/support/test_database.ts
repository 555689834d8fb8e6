/**
 * A database of its own for each test file.
 *
 * Embedded by default. With `TEST_DATABASE_URL` (a role that may create databases) it is a real
 * PostgreSQL: migrated once into a template, which is cloned for each caller.
 */
import { createHash } from "node:crypto";
import { startEmbeddedPostgres } from "../../src/adapters/embedded/pglite.ts";
import {
  createDatabase,
  type Database,
  type DatabaseOptions,
} from "../../src/adapters/postgres/database.ts";
import {
  migrateDatabase,
  type Migration,
  readMigrations,
} from "../../src/adapters/postgres/migrations.ts";

/** A migrated database and the way to get rid of it. */
export interface TestDatabase {
  readonly database: Database;
  readonly url: string;
  /** Pass it on to a service that is to work on this database: 1 when it is embedded. */
  readonly poolSize: number;
  readonly isEmbedded: boolean;
  close(): Promise<void>;
}

type TuningOptions = Omit<DatabaseOptions, "url">;

/** Opens a fresh, migrated database: a real one where the environment names a server. */
export async function openTestDatabase(options: TuningOptions = {}): Promise<TestDatabase> {
  const serverUrl = Deno.env.get("TEST_DATABASE_URL");
  return serverUrl ? await openOnServer(serverUrl, options) : await openEmbedded(options);
}

/** Opens a fresh, migrated database in this process, whatever the environment says. */
export async function openEmbedded(options: TuningOptions = {}): Promise<TestDatabase> {
  const embedded = await startEmbeddedPostgres({ seed: await readSeed() });
  const database = createDatabase({ ...options, url: embedded.url, poolSize: 1 });
  return {
    database,
    url: embedded.url,
    poolSize: 1,
    isEmbedded: true,
    async close() {
      await database.close();
      await embedded.close();
    },
  };
}

/** Opens a fresh, migrated database on a real server. */
export async function openOnServer(
  serverUrl: string,
  options: TuningOptions = {},
): Promise<TestDatabase> {
  const { poolSize = 5 } = options;
  const server = createDatabase({ url: serverUrl, poolSize: 1, statementTimeoutMs: 60_000 });
  const template = await ensureTemplate(server, serverUrl);
  const name = `facet_test_${crypto.randomUUID().replaceAll("-", "")}`;
  await whileTemplateIsBusy(() =>
    server.write((sql) => sql.unsafe(`create database ${name} template ${template}`))
  );
  const url = withDatabaseName(serverUrl, name);
  const database = createDatabase({ ...options, url, poolSize });
  return {
    database,
    url,
    poolSize,
    isEmbedded: false,
    async close() {
      await database.close();
      await server.write((sql) => sql.unsafe(`drop database if exists ${name} with (force)`));
      await server.close();
    },
  };
}

/** The URL of the same server with another database. */
export function withDatabaseName(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

/**
 * The URL of a real server; null, with the reason printed, where there is none.
 *
 * @throws {Error} where there is none although `CI_REQUIRE_POSTGRES=1` demands it.
 */
export function requireRealPostgres(): string | null {
  const url = Deno.env.get("TEST_DATABASE_URL");
  if (url) return url;
  return skipOrFail("TEST_DATABASE_URL is not set", "CI_REQUIRE_POSTGRES");
}

/** Prints why a test is skipped; fails instead where the named variable is `1`. */
export function skipOrFail(reason: string, variable: string): null {
  if (Deno.env.get(variable) === "1") throw new Error(`${reason}, but ${variable}=1`);
  // deno-lint-ignore no-console
  console.log(`skipped: ${reason}`);
  return null;
}

/** A migrated database as an archive, kept between runs: initdb takes seconds, unpacking does not. */
async function readSeed(): Promise<Blob> {
  const migrations = await readMigrations();
  const folder = new URL("../../.data/test/", import.meta.url);
  const file = new URL(`pglite_${fingerprint(migrations)}.tar`, folder);
  try {
    return new Blob([await Deno.readFile(file)]);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const embedded = await startEmbeddedPostgres();
  const database = createDatabase({ url: embedded.url, poolSize: 1 });
  await migrateDatabase(database, migrations);
  await database.close();
  const seed = await embedded.dump();
  await embedded.close();
  await Deno.mkdir(folder, { recursive: true });
  const partial = new URL(`${file.href}.${crypto.randomUUID()}`);
  await Deno.writeFile(partial, new Uint8Array(await seed.arrayBuffer()));
  await Deno.rename(partial, file);
  await removeOldSeeds(folder, file);
  return seed;
}

async function removeOldSeeds(folder: URL, current: URL): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    const file = new URL(name, folder);
    if (!/^pglite_[0-9a-f]{16}\.tar$/.test(name) || file.href === current.href) continue;
    await Deno.remove(file).catch(() => {}); // perhaps another process was quicker
  }
}

/** Changes with every migration, with the month (partitions) and with the version of PGlite. */
function fingerprint(migrations: readonly Migration[]): string {
  const imports = Deno.readTextFileSync(new URL("../../deno.json", import.meta.url));
  const pglite = /@electric-sql\/pglite@([\w.-]+)/.exec(imports)?.[1];
  const month = new Date().toISOString().slice(0, 7);
  const parts = [pglite, month, ...migrations.map(({ checksum }) => checksum)];
  return createHash("sha256").update(parts.join()).digest("hex").slice(0, 16);
}

async function ensureTemplate(server: Database, serverUrl: string): Promise<string> {
  const migrations = await readMigrations();
  const name = `facet_template_${fingerprint(migrations)}`;
  const exists = () => server.read((sql) => sql`select 1 from pg_database where datname = ${name}`);
  if ((await exists()).length > 0) return name;
  // Built under another name: a template that exists is complete.
  const building = `${name}_${crypto.randomUUID().slice(0, 8)}`;
  await server.write((sql) => sql.unsafe(`create database ${building}`));
  const database = createDatabase({ url: withDatabaseName(serverUrl, building), poolSize: 1 });
  await migrateDatabase(database, migrations);
  await database.close();
  try {
    await whileTemplateIsBusy(() =>
      server.write((sql) => sql.unsafe(`alter database ${building} rename to ${name}`))
    );
  } catch (error) {
    await server.write((sql) => sql.unsafe(`drop database ${building} with (force)`));
    if ((await exists()).length === 0) throw error;
  }
  return name;
}

/** Somebody else clones the same template, or a closed session is not quite gone (55006). */
async function whileTemplateIsBusy(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      await work();
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== "55006" || attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20 + 80 * Math.random()));
    }
  }
}
