import type { Database, Sql } from "./database.ts";

/** Tables partitioned by month, each with a default partition `…_default`, and their time column. */
const MONTHLY_TABLES: readonly { readonly table: string; readonly column: string }[] = [
  { table: "asset_event", column: "at" },
];

/** Namespace of the advisory lock: one instance makes partitions at a time. */
const LOCK_SPACE = 0x0facf0;

/** What a run made. */
export interface PartitionReport {
  /** Names of the new partitions. */
  readonly created: readonly string[];
}

/**
 * Makes the partitions of this month and of `monthsAhead` more (0 to 24), by the clock of the
 * database in UTC. Idempotent. Rows that had to go to the default partition move to their month.
 */
export async function ensurePartitions(
  database: Database,
  options: { monthsAhead: number },
): Promise<PartitionReport> {
  const created: string[] = [];
  for (const { table, column } of MONTHLY_TABLES) {
    const missing = await findMissingMonths(database, table, options.monthsAhead);
    for (const month of missing) {
      const made = await database.transaction(
        (sql) => createPartition(sql, { table, column, month }),
        { name: "partitions.create", statementTimeoutMs: 60_000, timeoutMs: 90_000 },
      );
      if (made) created.push(partitionName(table, month));
    }
  }
  return { created };
}

/** Months are `YYYY-MM-01`. */
async function findMissingMonths(
  database: Database,
  table: string,
  monthsAhead: number,
): Promise<string[]> {
  const months = await database.read(
    (sql) =>
      sql<{ month: string }[]>`
        select to_char(month, 'YYYY-MM-DD') as month
        from generate_series(
          date_trunc('month', now() at time zone 'utc'),
          date_trunc('month', now() at time zone 'utc') + ${monthsAhead}::integer * interval '1 month',
          interval '1 month'
        ) as month
        where to_regclass(${table}::text || to_char(month, '"_"YYYY"_"MM')) is null
        order by month`,
    { name: "partitions.find" },
  );
  return months.map(({ month }) => month);
}

/**
 * ATTACH takes a weaker lock on the parent than CREATE … PARTITION OF: appends go on meanwhile.
 * Names and dates are ours (see above), so that they may be part of the text: DDL has no parameters.
 */
async function createPartition(
  sql: Sql,
  { table, column, month }: { table: string; column: string; month: string },
): Promise<boolean> {
  await sql`select pg_advisory_xact_lock(${LOCK_SPACE}::integer, 0)`;
  const name = partitionName(table, month);
  // Not to_regclass: it may answer from the backend's cache as of before the wait for the lock.
  const [existing] = await sql`
    select 1 from pg_class where relname = ${name} and pg_table_is_visible(oid)`;
  if (existing) return false;
  const from = `timestamptz '${month} 00:00:00+00'`;
  const to = `timestamptz '${nextMonth(month)} 00:00:00+00'`;
  await sql.unsafe(`
    create table ${name} (like ${table} including defaults including constraints);
    lock table ${table}_default in access exclusive mode;
    with moved as (
      delete from ${table}_default where ${column} >= ${from} and ${column} < ${to} returning *
    )
    insert into ${name} select * from moved;
    alter table ${table} attach partition ${name} for values from (${from}) to (${to});
  `);
  return true;
}

/** The name of a month's partition: `asset_event_2026_11`. */
function partitionName(table: string, month: string): string {
  return `${table}_${month.slice(0, 7).replace("-", "_")}`;
}

/** The first of the month after `month` (`YYYY-MM-01`). */
export function nextMonth(month: string): string {
  const [year, number] = month.split("-").map(Number);
  return new Date(Date.UTC(year, number, 1)).toISOString().slice(0, 10);
}
