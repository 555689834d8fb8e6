import type { ContentHash } from "../../core/content_hash.ts";
import type {
  DeadSession,
  StuckContent,
  SweepCatalog,
  SweepSessions,
} from "../../uploads/sweep_ports.ts";
import { type Database, lockContentHash, type Sql } from "./database.ts";
import { createUploadCatalog, publishRow } from "./upload_catalog.ts";

/** The content rows in Postgres, as the sweep moves them. */
export function createSweepCatalog(database: Database): SweepCatalog {
  const { renew, verify, fail } = createUploadCatalog(database);
  return {
    renew,
    verify,
    fail,
    async listStuck(limit) {
      const rows = await database.read((sql) =>
        sql<{ contentHash: ContentHash }[]>`
          select encode(content_hash, 'hex') as "contentHash" from asset_portfolio
          where state in ('UPLOADING', 'VERIFIED')
            and coalesce(lease_expires_at, '-infinity') < clock_timestamp()
          order by lease_expires_at nulls first limit ${limit}`, { name: "sweep.list_stuck" });
      return rows.map((row) => row.contentHash);
    },
    takeOver: ({ contentHash, attemptId }, leaseMs) =>
      database.transaction(async (sql) => {
        await lockContentHash(sql, contentHash);
        const [row] = await sql<StuckContent[]>`
          update asset_portfolio
          set attempt_id = ${attemptId}, updated_at = clock_timestamp(),
            lease_expires_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
          where content_hash = decode(${contentHash}, 'hex')
            and state in ('UPLOADING', 'VERIFIED')
            and coalesce(lease_expires_at, '-infinity') < clock_timestamp()
          returning encode(content_hash, 'hex') as "contentHash", size_bytes as "sizeBytes", state`;
        return row ?? null;
      }, { name: "sweep.take_over" }),
    finish: (attempt, facts) =>
      database.transaction(async (sql) => {
        await lockContentHash(sql, attempt.contentHash);
        if (!await isReferenced(sql, attempt.contentHash)) return "unreferenced";
        return await publishRow(sql, { attempt, facts, actor: "sweep" }) ? "ready" : "lost";
      }, { name: "sweep.finish" }),
  };
}

async function isReferenced(sql: Sql, hash: ContentHash): Promise<boolean> {
  const rows = await sql`
    select 1 from asset_reference where content_hash = decode(${hash}, 'hex') limit 1`;
  return rows.length === 1;
}

/** The rows of `upload_session` in Postgres, as the sweep sees them. */
export function createSweepSessions(database: Database): SweepSessions {
  return {
    async listDead(limit) {
      const rows = await database.read((sql) =>
        sql<{ id: string }[]>`
          select id from upload_session where ${isDead(sql)}
          order by expires_at limit ${limit}`, { name: "sweep.list_sessions" });
      return rows.map((row) => row.id);
    },
    async take(sessionId, leaseMs) {
      const [row] = await database.write((sql) =>
        sql<DeadSession[]>`
          update upload_session
          set state = case when state in ('open', 'completing') then 'aborted' else state end,
            lease_expires_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond',
            updated_at = clock_timestamp()
          where id = ${sessionId} and ${isDead(sql)}
          returning id as "sessionId", staging_key as "stagingKey",
            multipart_id as "multipartId"`, { name: "sweep.take_session" });
      return row ?? null;
    },
    async forget(sessionId) {
      await database.write((sql) =>
        sql`
          with forgotten as (
            delete from upload_session
            where id = ${sessionId} and (kind = 'stream' or expires_at < clock_timestamp()))
          update upload_session set lease_expires_at = null, updated_at = clock_timestamp()
          where id = ${sessionId} and kind <> 'stream' and expires_at >= clock_timestamp()`, {
        name: "sweep.forget_session",
        idempotent: true,
      });
    },
    async filterExisting(sessionIds) {
      const rows = await database.read((sql) =>
        sql<{ id: string }[]>`
          select id from upload_session where id = any(${sessionIds as string[]}::uuid[])`, {
        name: "sweep.existing_sessions",
      });
      return new Set(rows.map((row) => row.id));
    },
  };
}

/** A lease that has run out is nobody's; without one, only a session that ended or expired is dead. */
function isDead(sql: Sql) {
  return sql`
    coalesce(lease_expires_at, '-infinity') < clock_timestamp() and (
      expires_at < clock_timestamp() or kind = 'stream'
      or (state in ('done', 'aborted') and lease_expires_at is not null))`;
}
