import type { ContentHash } from "../../core/content_hash.ts";
import type { FocalPointStore } from "../../variants/focal_points.ts";
import { type Database, lockContentHash, type Sql } from "./database.ts";

/** Focal points in Postgres. */
export function createFocalPointStore(database: Database): FocalPointStore {
  return {
    set: (assetId, { tenant, focus }) =>
      database.transaction(async (sql) => {
        const [reference] = await sql<{ hash: ContentHash }[]>`
          select encode(content_hash, 'hex') as hash from asset_reference
          where id = ${assetId} and tenant = ${tenant}`;
        if (!reference) return null;
        const { hash } = reference;
        await lockContentHash(sql, hash);
        if (await isShared(sql, hash, tenant)) return "shared";
        const changed = await sql`
          update asset_portfolio
          set focal_x = ${focus?.x ?? null}, focal_y = ${focus?.y ?? null},
            updated_at = clock_timestamp()
          where content_hash = decode(${hash}, 'hex') and state <> 'DELETED'
          returning 1`;
        if (changed.length === 0) return null;
        await sql`
          insert into purge_outbox (content_hash, tag, reason, layers)
          values (decode(${hash}, 'hex'), ${`asset-${hash}`}, 'focal_point',
            '["kv", "memory", "cdn"]'::jsonb)`;
        return { hash };
      }, { name: "focal_point.set" }),
  };
}

async function isShared(sql: Sql, hash: ContentHash, tenant: string): Promise<boolean> {
  const rows = await sql`
    select 1 from asset_reference
    where content_hash = decode(${hash}, 'hex') and tenant <> ${tenant} limit 1`;
  return rows.length > 0;
}
