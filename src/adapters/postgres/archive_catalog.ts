import type { StorageClass } from "../../core/storage_class.ts";
import type { HeldJobLease } from "../../core/job_lease.ts";
import type { AgedRow, ArchiveCatalog } from "../../lifecycle/ports.ts";
import { type Database, lockContentHash, type Sql } from "./database.ts";
import { holdsLease } from "./job_leases.ts";
import type { SqlFragment } from "./sql_types.ts";

/** The content rows in Postgres, as archiving and restoring move them. */
export function createArchiveCatalog(database: Database): ArchiveCatalog {
  return {
    async listUnused({ shard, after, unusedDays, limit }) {
      const prefix = shard.toString(16).padStart(2, "0");
      return await database.read((sql) => {
        const start = after === null
          ? sql`content_hash >= decode(${prefix.padEnd(64, "0")}, 'hex')`
          : sql`content_hash > decode(${after}, 'hex')`;
        return sql<AgedRow[]>`
          select ${columns(sql)} from asset_portfolio as content
          where ${start} and content_hash <= decode(${prefix.padEnd(64, "f")}, 'hex')
            and state = 'READY' and flagged is null
            and coalesce(last_accessed_on, created_at::date) <
              current_date - ${unusedDays}::integer
            and state_changed_at < now() - ${unusedDays}::integer * interval '1 day'
          order by content.content_hash limit ${limit}`;
      }, { name: "archive.list_unused" });
    },
    async listRestoring(limit) {
      return await database.read((sql) =>
        sql<AgedRow[]>`
          select ${columns(sql)} from asset_portfolio as content
          where restore_requested_at is not null and state = 'ARCHIVED'
          order by restore_requested_at limit ${limit}`, { name: "archive.list_restoring" });
    },
    async find(tenant, assetId) {
      const [row] = await database.read((sql) =>
        sql<AgedRow[]>`
          select ${columns(sql)}
          from asset_reference as reference join asset_portfolio as content using (content_hash)
          where reference.id = ${assetId} and reference.tenant = ${tenant}`, {
        name: "archive.find",
      });
      return row ?? null;
    },
    archive: (row, storageClass, lease) =>
      database.transaction(async (sql) => {
        await lockContentHash(sql, row.contentHash);
        return await archiveRow(sql, { row, storageClass, lease });
      }, { name: "archive.mark" }),
    async requestRestore(row) {
      const rows = await database.write((sql) =>
        sql`
          update asset_portfolio as content
          set restore_requested_at = coalesce(restore_requested_at, clock_timestamp()),
            updated_at = clock_timestamp()
          where ${isUnchanged(sql, row)} returning 1`, {
        name: "archive.request",
        idempotent: true,
      });
      return rows.length === 1;
    },
    finishRestore: (row, to, actor) =>
      database.transaction(async (sql) => {
        await lockContentHash(sql, row.contentHash);
        return await restoreRow(sql, { row, to, actor });
      }, { name: "archive.restore" }),
  };
}

function columns(sql: Sql): SqlFragment {
  return sql`
    encode(content.content_hash, 'hex') as "contentHash", content.state,
    (extract(epoch from content.state_changed_at) * 1000000)::bigint as "changedAtUs"`;
}

function isUnchanged(sql: Sql, row: AgedRow): SqlFragment {
  return sql`
    content.content_hash = decode(${row.contentHash}, 'hex') and content.state = ${row.state}
    and (extract(epoch from content.state_changed_at) * 1000000)::bigint = ${row.changedAtUs}`;
}

async function archiveRow(
  sql: Sql,
  { row, storageClass, lease }: { row: AgedRow; storageClass: StorageClass; lease: HeldJobLease },
): Promise<boolean> {
  const rows = await sql`
    with moved as (
      update asset_portfolio as content
      set state = 'ARCHIVED', storage_class = ${storageClass}, archived_at = clock_timestamp(),
        restore_requested_at = null, updated_at = clock_timestamp(),
        state_changed_at = clock_timestamp()
      where ${isUnchanged(sql, row)} and content.state = 'READY' and ${holdsLease(sql, lease)}
      returning content.content_hash
    )
    insert into asset_event (content_hash, from_state, to_state, reason, actor, at)
    select content_hash, 'READY', 'ARCHIVED', 'not asked for', 'archive', clock_timestamp()
    from moved returning 1`;
  return rows.length === 1;
}

/** Counts as an access: what was just brought back is not archived again at once. */
async function restoreRow(
  sql: Sql,
  { row, to, actor }: { row: AgedRow; to: "READY" | "MISSING"; actor: string },
): Promise<boolean> {
  const rows = await sql`
    with moved as (
      update asset_portfolio as content
      set state = ${to}, storage_class = null, archived_at = null, restore_requested_at = null,
        last_accessed_on = current_date, updated_at = clock_timestamp(),
        state_changed_at = clock_timestamp()
      where ${isUnchanged(sql, row)} and content.state = 'ARCHIVED'
      returning content.content_hash
    )
    insert into asset_event (content_hash, from_state, to_state, reason, actor, at)
    select content_hash, 'ARCHIVED', ${to}, 'restore', ${actor}, clock_timestamp()
    from moved returning 1`;
  return rows.length === 1;
}
