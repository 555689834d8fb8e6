import type { Asset, AssetDirectory, AssetSelector, ListPosition } from "../../assets/ports.ts";
import type { Database, Sql } from "./database.ts";
import type { SqlFragment } from "./sql_types.ts";

/** An asset with its place; everything is null in the row of a stretch without assets. */
interface StretchRow extends Asset {
  readonly createdAtUs: number;
  readonly looked: number;
  readonly endUs: number | null;
  readonly endId: string | null;
}

/** Assets in Postgres. Reads may be as old as the lag of the replica, where there is one. */
export function createAssetDirectory(database: Database): AssetDirectory {
  return {
    async find(tenant, selector) {
      const query = (sql: Sql) => selectAsset(sql, tenant, selector);
      const [fresh] = await database.read(query, { name: "asset.find", tolerateLag: true });
      if (fresh || !database.hasReplica) return fresh ?? null;
      // What was uploaded a moment ago is not on the replica yet.
      const [asset] = await database.read(query, { name: "asset.find" });
      return asset ?? null;
    },
    async list(tenant, { filter, after, limit, lookAt }) {
      const rows = await database.read((sql) =>
        sql<StretchRow[]>`
          with looked as materialized (
            select id, content_hash, file_name, created_at from asset_reference
            where tenant = ${tenant} ${after ? isBehind(sql, after) : sql``}
            order by created_at desc, id desc limit ${lookAt + 1}
          ), found as (
            select ${assetColumns(sql)}, ${microseconds(sql)} as "createdAtUs"
            from (
              select * from looked order by created_at desc, id desc limit ${lookAt}
            ) as reference cross join lateral (
              -- OFFSET 0 keeps this a probe per row: a join might read all partitions instead.
              select * from asset_portfolio as content
              where content.content_hash = reference.content_hash offset 0
            ) as content
            where ${matchesState(sql, filter.state)} and ${matchesMime(sql, filter.mime)}
            order by reference.created_at desc, reference.id desc limit ${limit + 1}
          )
          select found.*, total.looked, last."endUs", last."endId"
          from (select count(*) as looked from looked) as total
          left join lateral (
            select ${microseconds(sql)} as "endUs", id as "endId" from looked as reference
            order by created_at desc, id desc offset ${lookAt - 1} limit 1
          ) as last on true
          left join found on true
          order by found."createdAtUs" desc nulls last, found."assetId" desc`, {
        name: "asset.list",
        tolerateLag: true,
      });
      return toStretch(rows, { limit, lookAt });
    },
  };
}

function selectAsset(sql: Sql, tenant: string, selector: AssetSelector): PromiseLike<Asset[]> {
  return sql<Asset[]>`
    select ${assetColumns(sql)}
    from asset_reference as reference join asset_portfolio as content using (content_hash)
    where reference.tenant = ${tenant} and ${isSelected(sql, selector)}`;
}

/** The reference that a selector names; for a row called `reference`. */
export function isSelected(sql: Sql, selector: AssetSelector): SqlFragment {
  return selector.by === "id"
    ? sql`reference.id = ${selector.id}`
    : sql`reference.content_hash = decode(${selector.hash}, 'hex')`;
}

function assetColumns(sql: Sql) {
  return sql`
    reference.id as "assetId", encode(content.content_hash, 'hex') as "contentHash",
    content.size_bytes as "sizeBytes",
    coalesce(content.media_type, 'application/octet-stream') as "mediaType",
    ${shownState(sql)} as state, content.width, content.height, content.orientation, content.frames,
    content.bit_depth as "bitDepth", content.color_model as "colorModel",
    content.has_alpha as "hasAlpha", content.icc_name as "iccName",
    content.thumb_hash as "thumbHash", content.dominant_color as "dominantColor",
    reference.file_name as "fileName", content.visibility, reference.created_at as "createdAt"`;
}

/** A flagged object is never served: to its tenants it is missing, and to be uploaded again. */
function shownState(sql: Sql) {
  return sql`case when content.flagged is null then content.state else 'MISSING' end`;
}

/** JavaScript's dates would cut off what tells two references of one millisecond apart. */
function microseconds(sql: Sql) {
  return sql`(extract(epoch from reference.created_at) * 1000000)::bigint`;
}

function isBehind(sql: Sql, { createdAtUs, assetId }: ListPosition) {
  return sql`
    and (created_at, id) <
      ('epoch'::timestamptz + ${createdAtUs}::bigint * interval '1 microsecond', ${assetId}::uuid)`;
}

function matchesState(sql: Sql, state: string | null) {
  return state === null ? sql`true` : sql`${shownState(sql)} = ${state}`;
}

/** By equality only: no character of a media type means anything else than itself. */
function matchesMime(sql: Sql, mime: string | null) {
  if (mime === null) return sql`true`;
  return mime.endsWith("/*")
    ? sql`split_part(content.media_type, '/', 1) = ${mime.slice(0, -2)}`
    : sql`content.media_type = ${mime}`;
}

function toStretch(
  rows: readonly StretchRow[],
  { limit, lookAt }: { limit: number; lookAt: number },
) {
  const found = rows.filter((row) => row.assetId !== null).slice(0, limit)
    .map(({ createdAtUs, looked: _looked, endUs: _endUs, endId: _endId, ...asset }) => ({
      asset,
      position: { createdAtUs, assetId: asset.assetId },
    }));
  const [{ looked, endUs, endId }] = rows;
  // One more was asked for than may be answered: it tells whether anything is left.
  if (rows.length > limit) return { found, doneUntil: found[limit - 1].position };
  const isEnd = looked <= lookAt || endUs === null || endId === null;
  return { found, doneUntil: isEnd ? null : { createdAtUs: endUs, assetId: endId } };
}
