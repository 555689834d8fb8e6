import type { AssetState } from "../../core/asset_state.ts";
import type { ContentHash } from "../../core/content_hash.ts";
import type { HeldJobLease } from "../../core/job_lease.ts";
import type { StorageClass } from "../../core/storage_class.ts";
import type { ReconcileCatalog, ReconcileRow, RowChange } from "../../reconcile/ports.ts";
import { type Database, lockContentHash, type Sql } from "./database.ts";
import { holdsLease } from "./job_leases.ts";
import type { SqlFragment } from "./sql_types.ts";

/** Rows of one page. */
const PAGE_ROWS = 2_000;
/** Where something of a flagged asset may be, other than the object. */
const CACHE_LAYERS = ["memory", "kv", "cdn"] as const;

/** The content rows in Postgres, as reconciliation sees them. */
export function createReconcileCatalog(
  database: Database,
  options: { readonly pageRows?: number } = {},
): ReconcileCatalog {
  const { pageRows = PAGE_ROWS } = options;
  return {
    async nowMs() {
      const [row] = await database.read((sql) =>
        sql<{ nowMs: number }[]>`
          select (extract(epoch from clock_timestamp()) * 1000)::bigint as "nowMs"`, {
        name: "reconcile.now",
      });
      return row.nowMs;
    },
    async *pages(shard, { signal }) {
      const first = shard.toString(16).padStart(2, "0");
      const last = first.padEnd(64, "f");
      let after: string | null = null;
      while (true) {
        signal.throwIfAborted();
        const from: string | null = after;
        const page: ReconcileRow[] = await database.read(
          (sql) => selectPage(sql, { from, first: first.padEnd(64, "0"), last, pageRows }),
          { name: "reconcile.page" },
        );
        if (page.length > 0) yield page;
        if (page.length < pageRows) return;
        after = page[page.length - 1].contentHash;
      }
    },
    async find(hash) {
      const [row] = await database.read((sql) =>
        sql<ReconcileRow[]>`
          select ${columns(sql)} from asset_portfolio
          where content_hash = decode(${hash}, 'hex')`, { name: "reconcile.find" });
      return row ?? null;
    },
    change: (row, change, lease) =>
      database.transaction(async (sql) => {
        await lockContentHash(sql, row.contentHash);
        return await changeRow(sql, { row, change, lease });
      }, { name: "reconcile.change" }),
    takeOrphan: (hash, request) =>
      database.transaction(async (sql) => {
        await lockContentHash(sql, hash);
        return await takeOrphan(sql, hash, request) ? "taken" : "left";
      }, { name: "reconcile.take_orphan" }),
    async finishOrphan(hash, attemptId, gone) {
      const rows = await database.write((sql) =>
        sql`
          update asset_portfolio
          set purged_at = case when ${gone} then clock_timestamp() else purged_at end,
            lease_expires_at = null, updated_at = clock_timestamp()
          where content_hash = decode(${hash}, 'hex') and state = 'DELETED'
            and attempt_id = ${attemptId}
          returning 1`, { name: "reconcile.finish_orphan", idempotent: true });
      return rows.length === 1;
    },
  };
}

function columns(sql: Sql): SqlFragment {
  return sql`
    encode(content_hash, 'hex') as "contentHash", state, size_bytes as "sizeBytes",
    storage_class as "storageClass", flagged,
    greatest(0, extract(epoch from clock_timestamp() - state_changed_at) * 1000)::float8 as "ageMs",
    (extract(epoch from state_changed_at) * 1000000)::bigint as "changedAtUs"`;
}

function selectPage(
  sql: Sql,
  range: { from: string | null; first: string; last: string; pageRows: number },
): PromiseLike<ReconcileRow[]> {
  const { from, first, last, pageRows } = range;
  const start = from === null
    ? sql`content_hash >= decode(${first}, 'hex')`
    : sql`content_hash > decode(${from}, 'hex')`;
  return sql<ReconcileRow[]>`
    select ${columns(sql)} from asset_portfolio
    where ${start} and content_hash <= decode(${last}, 'hex')
    order by asset_portfolio.content_hash limit ${pageRows}`;
}

/** See `settle_row.ts` for what the guard is good for. */
async function changeRow(
  sql: Sql,
  { row, change, lease }: { row: ReconcileRow; change: RowChange; lease: HeldJobLease },
): Promise<boolean> {
  const to: AssetState = change.to ?? row.state;
  const moves = to !== row.state;
  const flagged = change.flagged === undefined ? row.flagged : change.flagged;
  const storageClass: StorageClass | null = change.storageClass === undefined
    ? row.storageClass
    : change.storageClass;
  const purges = flagged !== null && row.flagged === null;
  const rows = await sql`
    with moved as (
      update asset_portfolio
      set state = ${to}, flagged = ${flagged}, storage_class = ${storageClass},
        archived_at = case when ${to} = 'ARCHIVED' then coalesce(archived_at, clock_timestamp()) end,
        restore_requested_at = case when ${moves} then null else restore_requested_at end,
        state_changed_at = case when ${moves} then clock_timestamp() else state_changed_at end,
        updated_at = clock_timestamp()
      where content_hash = decode(${row.contentHash}, 'hex') and state = ${row.state}
        and (extract(epoch from state_changed_at) * 1000000)::bigint = ${row.changedAtUs}
        and flagged is not distinct from ${row.flagged} and ${holdsLease(sql, lease)}
      returning content_hash
    ), noted as (
      insert into asset_event (content_hash, from_state, to_state, reason, actor, at)
      select content_hash, ${row.state}, ${to}, ${change.reason}, 'reconcile', clock_timestamp()
      from moved where ${moves}
    ), purged as (
      insert into purge_outbox (content_hash, tag, reason, layers)
      select content_hash, ${`asset-${row.contentHash}`}, ${change.reason},
        ${JSON.stringify(CACHE_LAYERS)}::text::jsonb
      from moved where ${purges}
    )
    select 1 from moved`;
  return rows.length === 1;
}

/** A new row is private: to whoever asks, its hash stays unknown. */
async function takeOrphan(
  sql: Sql,
  hash: ContentHash,
  request: Parameters<ReconcileCatalog["takeOrphan"]>[1],
): Promise<boolean> {
  const { attemptId, leaseMs, sizeBytes, lease } = request;
  const [row] = await sql<{ state: AssetState }[]>`
    select state from asset_portfolio where content_hash = decode(${hash}, 'hex')`;
  if (row === undefined) {
    const made = await sql`
      with made as (
        insert into asset_portfolio
          (content_hash, size_bytes, state, visibility, attempt_id, lease_expires_at)
        select decode(${hash}, 'hex'), ${sizeBytes}::bigint, 'DELETED', 'private',
          ${attemptId}::uuid, clock_timestamp() + ${leaseMs} * interval '1 millisecond'
        where ${holdsLease(sql, lease)}
        returning content_hash)
      insert into asset_event (content_hash, from_state, to_state, reason, actor, at)
      select content_hash, null, 'DELETED', 'orphan quarantined', 'reconcile', clock_timestamp()
      from made returning 1`;
    return made.length === 1;
  }
  if (row.state !== "DELETED") return false;
  const taken = await sql`
    update asset_portfolio
    set attempt_id = ${attemptId}, updated_at = clock_timestamp(),
      lease_expires_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
    where content_hash = decode(${hash}, 'hex') and state = 'DELETED'
      and coalesce(lease_expires_at, '-infinity') < clock_timestamp()
      and ${holdsLease(sql, lease)}
      and not exists (
        select 1 from purge_outbox
        where content_hash = decode(${hash}, 'hex') and done_at is null and layers ? 'object')
    returning 1`;
  return taken.length === 1;
}
