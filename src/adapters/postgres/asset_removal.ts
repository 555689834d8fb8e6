import type { AssetState } from "../../core/asset_state.ts";
import type { ContentHash } from "../../core/content_hash.ts";
import type { AssetSelector, DeletedContent, ReferenceRemover } from "../../assets/ports.ts";
import { isSelected } from "./asset_directory.ts";
import type { Database, Sql } from "./database.ts";

/** Where something of a deleted asset may be (the layers of the purge outbox). */
const PURGE_LAYERS = ["object", "memory", "kv", "cdn"] as const;

/** Removal of references and, behind the last one, of content, in Postgres. */
export function createAssetRemoval(database: Database): ReferenceRemover & DeletedContent {
  return {
    async remove(tenant, selector, { actor }) {
      // The lock is on the hash, so that comes first; what it names is checked again under it.
      const contentHash = selector.by === "hash"
        ? selector.hash
        : await findHash(database, tenant, selector);
      if (contentHash === null) return null;
      return await database.transaction(async (sql) => {
        const removed = await sql`
          delete from asset_reference as reference
          where tenant = ${tenant} and ${isSelected(sql, selector)}
            and content_hash = decode(${contentHash}, 'hex')
          returning 1`;
        if (removed.length === 0) return null;
        return { contentHash, contentDeleted: await deleteUnreferenced(sql, contentHash, actor) };
      }, { name: "asset.remove", lockContent: contentHash });
    },

    begin(hash, { attemptId, leaseMs }) {
      return database.transaction(async (sql) => {
        const [row] = await sql<{ free: boolean }[]>`
          select coalesce(lease_expires_at, '-infinity') < clock_timestamp() as free
          from asset_portfolio
          where content_hash = decode(${hash}, 'hex') and state = 'DELETED' and purged_at is null`;
        if (!row) return "nothing";
        if (!row.free) return "busy";
        await sql`
          update asset_portfolio
          set attempt_id = ${attemptId}, updated_at = clock_timestamp(),
            lease_expires_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
          where content_hash = decode(${hash}, 'hex') and state = 'DELETED'`;
        return "taken";
      }, { name: "asset.begin_purge", lockContent: hash });
    },

    async finish(hash, attemptId) {
      const rows = await database.write((sql) =>
        sql`
          update asset_portfolio
          set purged_at = clock_timestamp(), lease_expires_at = null,
            updated_at = clock_timestamp()
          where content_hash = decode(${hash}, 'hex') and state = 'DELETED'
            and attempt_id = ${attemptId}
          returning 1`, { name: "asset.finish_purge", idempotent: true });
      return rows.length === 1;
    },
  };
}

async function findHash(
  database: Database,
  tenant: string,
  selector: AssetSelector,
): Promise<ContentHash | null> {
  const [row] = await database.read((sql) =>
    sql<{ contentHash: ContentHash }[]>`
      select encode(content_hash, 'hex') as "contentHash" from asset_reference as reference
      where tenant = ${tenant} and ${isSelected(sql, selector)}`, { name: "asset.find_hash" });
  return row?.contentHash ?? null;
}

/**
 * → DELETED when nobody refers to the content any more. Under the lock of the hash, which whoever
 * adds a reference takes too. What says something about the picture goes with the mark; size and
 * type stay for the audit. UPLOADING and VERIFIED stay: the upload under way publishes the content
 * with a new reference, or the sweep fails it.
 */
async function deleteUnreferenced(
  sql: Sql,
  contentHash: ContentHash,
  actor: string,
): Promise<boolean> {
  const [row] = await sql<{ state: AssetState }[]>`
    select state from asset_portfolio as content
    where content_hash = decode(${contentHash}, 'hex')
      and state in ('READY', 'ARCHIVED', 'MISSING', 'FAILED')
      and not exists (
        select 1 from asset_reference as reference
        where reference.content_hash = content.content_hash
      )`;
  if (!row) return false;
  const moved = await sql`
    with moved as (
      update asset_portfolio
      set state = 'DELETED', attempt_id = null, lease_expires_at = null, purged_at = null,
        thumb_hash = null, dominant_color = null, icc_name = null, focal_x = null, focal_y = null,
        updated_at = clock_timestamp(), state_changed_at = clock_timestamp()
      where content_hash = decode(${contentHash}, 'hex') and state = ${row.state}
      returning content_hash
    ), noted as (
      insert into asset_event (content_hash, from_state, to_state, reason, actor, at)
      select content_hash, ${row.state}, 'DELETED', 'last reference removed', ${actor},
        clock_timestamp()
      from moved
    )
    insert into purge_outbox (content_hash, tag, reason, layers)
    select content_hash, ${`asset-${contentHash}`}, 'deleted',
      ${JSON.stringify(PURGE_LAYERS)}::text::jsonb
    from moved returning 1`;
  return moved.length === 1;
}
