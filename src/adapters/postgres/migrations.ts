/**
 * Ordered SQL files, each applied once, in a transaction, whoever starts first.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Database, Sql } from "./database.ts";
import { ensurePartitions } from "./partitions.ts";

/** The folder of the files `NNNN_name.sql`, at the root of the repository. */
export const MIGRATIONS_URL: URL = new URL("../../../migrations/", import.meta.url);

/** One migration as it lies in the folder. */
export interface Migration {
  /** `NNNN_name`, without the ending. */
  readonly id: string;
  readonly text: string;
  /** SHA-256 of the text, hexadecimal. Line ends count as `\n`. */
  readonly checksum: string;
}

/** What a run of the migrations did. */
export interface MigrationReport {
  /** Applied by this run, in order. */
  readonly applied: readonly string[];
  /** Applied by earlier runs, or by another instance meanwhile. */
  readonly alreadyApplied: readonly string[];
  /** Recorded in the database but not in the folder: a newer version has been here. */
  readonly unknown: readonly string[];
}

/** The folder and the database do not go together. The message says what to do about it. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
}

/** Namespace of the advisory lock; two integers, so that it never meets the lock of a hash. */
const LOCK_SPACE = 0x0facef;

/** DDL on a big table takes its time, and a second instance waits for the first. */
const LIMITS = { statementTimeoutMs: 0, lockTimeoutMs: 0, timeoutMs: 0 } as const;

/**
 * Reads the migrations of a folder, in order.
 *
 * @throws {MigrationError} when a name is malformed, or a number is missing or used twice.
 */
export async function readMigrations(folder: URL = MIGRATIONS_URL): Promise<Migration[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isFile && entry.name.endsWith(".sql")) names.push(entry.name);
  }
  names.sort();
  return await Promise.all(names.map(async (name, index) => {
    const number = /^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1];
    if (number === undefined || Number(number) !== index + 1) {
      throw new MigrationError(
        `migrations/${name}: expected a name like ${String(index + 1).padStart(4, "0")}_name.sql`,
      );
    }
    const text = (await Deno.readTextFile(new URL(name, folder))).replaceAll("\r\n", "\n");
    const checksum = createHash("sha256").update(text).digest("hex");
    return { id: name.slice(0, -".sql".length), text, checksum };
  }));
}

/**
 * Applies what is missing, then makes the partitions of the coming months. Idempotent; instances
 * that start at once take turns, file by file.
 *
 * @throws {MigrationError} when an applied file was changed, or one is missing before an applied one.
 */
export async function migrateDatabase(
  database: Database,
  migrations: readonly Migration[],
): Promise<MigrationReport> {
  const applied: string[] = [];
  const alreadyApplied: string[] = [];
  let unknown: readonly string[] = [];
  for (const migration of migrations) {
    await database.transaction(async (sql) => {
      const recorded = await lockAndReadRecord(sql);
      unknown = [...recorded.keys()].filter((id) => !migrations.some((known) => known.id === id));
      checkRecord(migration, recorded);
      if (recorded.has(migration.id)) return void alreadyApplied.push(migration.id);
      await sql.unsafe(migration.text);
      await sql`
        insert into schema_migration (id, checksum) values (${migration.id}, ${migration.checksum})`;
      applied.push(migration.id);
    }, { name: "migrate", ...LIMITS });
  }
  await ensurePartitions(database, { monthsAhead: 2 });
  return { applied, alreadyApplied, unknown };
}

/** The lock lasts until the end of the transaction, so that it works through any pooler. */
async function lockAndReadRecord(sql: Sql): Promise<Map<string, string>> {
  await sql`select pg_advisory_xact_lock(${LOCK_SPACE}::integer, 0)`;
  await sql`
    create table if not exists schema_migration (
      id text not null primary key,
      checksum text not null,
      applied_at timestamptz not null default now()
    )`;
  return await readRecord(sql);
}

async function readRecord(sql: Sql): Promise<Map<string, string>> {
  const rows = await sql<{ id: string; checksum: string }[]>`
    select id, checksum from schema_migration order by id`;
  return new Map(rows.map(({ id, checksum }) => [id, checksum]));
}

function checkRecord(migration: Migration, recorded: ReadonlyMap<string, string>): void {
  const checksum = recorded.get(migration.id);
  if (checksum !== undefined && checksum !== migration.checksum) {
    throw new MigrationError(
      `migrations/${migration.id}.sql was changed after it had been applied: restore it and put ` +
        `the change into a new file`,
    );
  }
  const later = [...recorded.keys()].find((id) => id > migration.id);
  if (checksum === undefined && later !== undefined) {
    throw new MigrationError(
      `migrations/${migration.id}.sql is not applied, but ${later}.sql is: give it a later number`,
    );
  }
}
