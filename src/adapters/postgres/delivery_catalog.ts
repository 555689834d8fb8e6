import type { AssetState } from "../../core/asset_state.ts";
import type { ContentHash } from "../../core/content_hash.ts";
import type { AssetLookup, AssetRecord, MissingReporter } from "../../variants/ports.ts";
import { type Database, lockContentHash, type Sql } from "./database.ts";

interface Row {
  readonly state: AssetState;
  readonly sizeBytes: number;
  readonly mediaType: string | null;
  readonly width: number | null;
  readonly height: number | null;
  readonly hasAlpha: boolean | null;
  readonly focalX: number | null;
  readonly focalY: number | null;
  readonly visibility: "public" | "private";
  readonly flagged: string | null;
  readonly restoreRequestedAt: Date | null;
  readonly fileName: string | null;
}

/** The catalog in Postgres as delivery sees it. */
export function createDeliveryCatalog(database: Database): AssetLookup & MissingReporter {
  return {
    async find(hash) {
      const [row] = await database.read((sql) => selectRow(sql, hash), { name: "delivery.find" });
      return row ? toRecord(hash, row) : null;
    },
    async reportMissing(hash) {
      await database.transaction(async (sql) => {
        await lockContentHash(sql, hash);
        await markMissing(sql, hash);
      }, { name: "delivery.missing" });
    },
  };
}

function selectRow(sql: Sql, hash: ContentHash): PromiseLike<Row[]> {
  // Two names are enough to know that tenants differ; more are not read.
  return sql<Row[]>`
    select state, size_bytes as "sizeBytes", media_type as "mediaType", width, height,
      has_alpha as "hasAlpha", focal_x as "focalX", focal_y as "focalY", visibility, flagged,
      restore_requested_at as "restoreRequestedAt",
      (
        select case when count(*) = count(name) and min(name) = max(name) then min(name) end
        from (
          select distinct file_name as name from asset_reference
          where content_hash = decode(${hash}, 'hex')
          limit 2
        ) as names
      ) as "fileName"
    from asset_portfolio
    where content_hash = decode(${hash}, 'hex')`;
}

async function markMissing(sql: Sql, hash: ContentHash): Promise<void> {
  await sql`
    with moved as (
      update asset_portfolio
      set state = 'MISSING', state_changed_at = clock_timestamp(), updated_at = clock_timestamp()
      where content_hash = decode(${hash}, 'hex') and state = 'READY'
      returning content_hash
    )
    insert into asset_event (content_hash, from_state, to_state, reason, actor)
    select content_hash, 'READY', 'MISSING', 'object_not_found', 'delivery' from moved`;
}

function toRecord(hash: ContentHash, row: Row): AssetRecord {
  const { focalX, focalY, hasAlpha, ...rest } = row;
  return {
    hash,
    ...rest,
    hasAlpha: hasAlpha ?? false,
    focus: focalX === null || focalY === null ? null : { x: focalX, y: focalY },
  };
}
