import type { UsageReader, UsageReading } from "../../costs/ports.ts";
import { calculateDriftRatio } from "../../core/drift_ratio.ts";
import type { Database, Sql } from "./database.ts";

type Stock = Pick<
  UsageReading,
  "assets" | "newAssets" | "standardBytes" | "infrequentBytes" | "archiveBytes"
>;
type Flow = Pick<
  UsageReading,
  | "days"
  | "counted"
  | "variantRequests"
  | "memoryHits"
  | "kvHits"
  | "misses"
  | "notModified"
  | "originalRequests"
  | "renders"
  | "egressBytes"
  | "computeMs"
>;
type Variants = Pick<UsageReading, "variants" | "variantBytes" | "variantsOfFive">;

/** An hour: what was counted in less is no measure of a month. */
const MIN_DAYS = 0.04;

/** Sums over the whole catalog take their time. Milliseconds. */
const TIMEOUT = { statementTimeoutMs: 300_000, timeoutMs: 600_000, readOnly: true } as const;

/** What was measured, from the catalog and the ledger in Postgres. */
export function createUsageReader(database: Database): UsageReader {
  return {
    read: (days) =>
      database.transaction(async (sql) => {
        const flow = await readFlow(sql, days);
        return {
          ...await readStock(sql, flow.days),
          ...flow,
          ...await readVariants(sql),
          listing: await readListing(sql),
        };
      }, { name: "usage.read", isolation: "repeatable read", ...TIMEOUT }),
  };
}

/**
 * Assets whose bytes are kept. The class is the bucket's affair: what a lifecycle rule has moved to
 * the infrequent class counts as standard here until it is archived.
 */
async function readStock(sql: Sql, days: number): Promise<Stock> {
  const [stock] = await sql<Stock[]>`
    select count(*) as assets,
      count(*) filter (where created_at >= now() - ${days}::float8 * interval '1 day')
        as "newAssets",
      coalesce(sum(size_bytes) filter (where storage_class is null
        or storage_class = 'standard'), 0)::bigint as "standardBytes",
      coalesce(sum(size_bytes) filter (where storage_class = 'infrequent'), 0)::bigint
        as "infrequentBytes",
      coalesce(sum(size_bytes) filter (where storage_class = 'archive'), 0)::bigint
        as "archiveBytes"
    from asset_portfolio where state in ('READY', 'ARCHIVED')`;
  return stock;
}

/**
 * Of the days that the ledger covers, if those are fewer. Of today only what has passed counts: taken
 * for a whole day it would make a month look cheap, most of all at its beginning.
 */
async function readFlow(sql: Sql, days: number): Promise<Flow> {
  const [flow] = await sql<Flow[]>`
    select count(*) > 0 as counted,
      coalesce(
        greatest(${MIN_DAYS}, round(extract(epoch from now() at time zone 'utc' - greatest(
          (select min(day) from usage_day),
          (now() at time zone 'utc')::date - ${days}::integer + 1)) / 86400, 2)),
        ${days})::float8 as days,
      coalesce(sum(variant_requests), 0)::bigint as "variantRequests",
      coalesce(sum(memory_hits), 0)::bigint as "memoryHits",
      coalesce(sum(kv_hits), 0)::bigint as "kvHits",
      coalesce(sum(misses), 0)::bigint as misses,
      coalesce(sum(not_modified), 0)::bigint as "notModified",
      coalesce(sum(original_requests), 0)::bigint as "originalRequests",
      coalesce(sum(renders), 0)::bigint as renders,
      coalesce(sum(egress_bytes), 0)::bigint as "egressBytes",
      coalesce(sum(compute_ms), 0)::float8 as "computeMs"
    from usage_day where day > (now() at time zone 'utc')::date - ${days}::integer`;
  return flow;
}

async function readVariants(sql: Sql): Promise<Variants> {
  const [variants] = await sql<Variants[]>`
    select coalesce(sum(number), 0)::bigint as variants,
      coalesce(sum(bytes), 0)::bigint as "variantBytes",
      coalesce(sum(least(5, number)), 0)::bigint as "variantsOfFive"
    from (
      select count(*) as number, sum(variant_bytes) as bytes from variant_stat
      group by content_hash
    ) as assets`;
  return variants;
}

async function readListing(sql: Sql): Promise<UsageReading["listing"]> {
  const [run] = await sql<{ counts: Parameters<typeof calculateDriftRatio>[0]; at: Date }[]>`
    select counts, finished_at as at from reconcile_run
    where status = 'finished' and first_shard = 0 and last_shard = 255
    order by started_at desc limit 1`;
  if (!run) return null;
  const { rowBytes, objectBytes, objects } = run.counts;
  return {
    rowBytes,
    objectBytes,
    objects,
    at: run.at,
    driftRatio: calculateDriftRatio(run.counts),
  };
}
