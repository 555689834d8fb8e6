import type { ContentHash } from "../../core/content_hash.ts";
import type { VariantLedger } from "../../variants/list_variants.ts";
import type { UsageBatch, UsageStore } from "../../variants/usage_recorder.ts";
import type { Database, Sql } from "./database.ts";

/** Longest that the id of a batch is remembered. */
const REMEMBERED = "1 day";

/** Counts of deliveries in Postgres. */
export function createUsageStore(database: Database): UsageStore & VariantLedger {
  return {
    add: (batch) =>
      database.transaction(async (sql) => {
        const added = await sql`
          insert into usage_flush (id) values (${batch.id}) on conflict do nothing returning 1`;
        if (added.length === 0) return;
        await addVariants(sql, batch);
        await noteAccess(sql, batch);
        // Last: every instance writes this row, so it is locked for the shortest time.
        await addTotals(sql, batch);
        await sql`
          delete from usage_flush where at < clock_timestamp() - ${REMEMBERED}::interval`;
      }, { name: "usage.add" }),
    async find(hash) {
      const rows = await database.read(
        (sql) =>
          sql<{ variant: string; hits: number; bytes: number }[]>`
          select variant, requests as hits, variant_bytes as bytes from variant_stat
          where content_hash = decode(${hash}, 'hex')`,
        { name: "usage.find", tolerateLag: true },
      );
      return new Map(rows.map(({ variant, hits, bytes }) => [variant, { hits, bytes }]));
    },
  };
}

/** In the order of the key, so that batches of two instances wait for each other at worst. */
async function addVariants(sql: Sql, batch: UsageBatch): Promise<void> {
  const rows = [...batch.variants].flatMap(([hash, variants]) =>
    [...variants].map(([variant, counts]) => ({
      hash,
      variant,
      requests: counts.requests,
      renders: counts.renders,
      variant_bytes: counts.variantBytes,
      egress_bytes: counts.egressBytes,
      compute_ms: counts.computeMs,
    }))
  );
  if (rows.length === 0) return;
  await sql`
    insert into variant_stat as stat (content_hash, variant, requests, renders, variant_bytes,
      egress_bytes, compute_ms, first_requested_on, last_requested_on)
    select decode(hash, 'hex'), variant, requests, renders, variant_bytes, egress_bytes,
      compute_ms, ${batch.day}::date, ${batch.day}::date
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as counted (hash text,
      variant text, requests bigint, renders bigint, variant_bytes bigint, egress_bytes bigint,
      compute_ms double precision)
    order by hash, variant collate "C"
    on conflict (content_hash, variant) do update
    set requests = stat.requests + excluded.requests, renders = stat.renders + excluded.renders,
      variant_bytes = case when excluded.variant_bytes > 0 then excluded.variant_bytes
        else stat.variant_bytes end,
      egress_bytes = stat.egress_bytes + excluded.egress_bytes,
      compute_ms = stat.compute_ms + excluded.compute_ms,
      last_requested_on = greatest(stat.last_requested_on, excluded.last_requested_on)`;
}

/** Rows that somebody else is changing are skipped: the day after will do. */
async function noteAccess(sql: Sql, { accessed, day }: UsageBatch): Promise<void> {
  if (accessed.size === 0) return;
  const hashes: ContentHash[] = [...accessed];
  await sql`
    with due as (
      select content_hash from asset_portfolio
      where content_hash = any(
          select decode(hash, 'hex') from unnest(${hashes as string[]}::text[]) as hash)
        and (last_accessed_on is null or last_accessed_on < ${day}::date)
      for update skip locked)
    update asset_portfolio as row set last_accessed_on = ${day}::date
    from due where row.content_hash = due.content_hash`;
}

async function addTotals(sql: Sql, { day, totals }: UsageBatch): Promise<void> {
  await sql`
    insert into usage_day as total (day, variant_requests, memory_hits, kv_hits, misses,
      not_modified, original_requests, renders, egress_bytes, compute_ms)
    values (${day}, ${totals.variantRequests}, ${totals.memoryHits}, ${totals.kvHits},
      ${totals.misses}, ${totals.notModified}, ${totals.originalRequests}, ${totals.renders},
      ${totals.egressBytes}, ${totals.computeMs})
    on conflict (day) do update
    set variant_requests = total.variant_requests + excluded.variant_requests,
      memory_hits = total.memory_hits + excluded.memory_hits,
      kv_hits = total.kv_hits + excluded.kv_hits, misses = total.misses + excluded.misses,
      not_modified = total.not_modified + excluded.not_modified,
      original_requests = total.original_requests + excluded.original_requests,
      renders = total.renders + excluded.renders,
      egress_bytes = total.egress_bytes + excluded.egress_bytes,
      compute_ms = total.compute_ms + excluded.compute_ms`;
}
