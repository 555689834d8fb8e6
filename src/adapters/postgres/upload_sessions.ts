import type { UploadSessions } from "../../uploads/ports.ts";
import type { Database } from "./database.ts";

/** How long a `stream` session may last at most, whatever its lease. */
const STREAM_LIFETIME = "1 day";

/** The rows of `upload_session` in Postgres, as uploads move them. */
export function createUploadSessions(database: Database): UploadSessions {
  return {
    async open(session) {
      await database.write((sql) =>
        sql`
          insert into upload_session (id, kind, tenant, key_id, staging_key, declared_hash,
            declared_size, file_name, claimed_type, lease_expires_at, expires_at)
          values (${session.sessionId}, 'stream', ${session.tenant}, ${session.keyId},
            ${session.stagingKey}, decode(${session.declaredHash}, 'hex'),
            ${session.declaredSizeBytes}, ${session.fileName},
            ${session.claimedType?.toWellFormed().replaceAll("\0", "").slice(0, 255) ?? null},
            clock_timestamp() + ${session.leaseMs} * interval '1 millisecond',
            clock_timestamp() + ${STREAM_LIFETIME}::interval)
          on conflict (id) do nothing`, { name: "session.open", idempotent: true });
    },
    async renew(sessionId, { leaseMs, receivedBytes, multipartId }) {
      const rows = await database.write((sql) =>
        sql`
          update upload_session
          set lease_expires_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond',
            received_bytes = greatest(received_bytes, ${receivedBytes}),
            multipart_id = coalesce(${multipartId}, multipart_id), updated_at = clock_timestamp()
          where id = ${sessionId} and state in ('open', 'completing')
          returning 1`, { name: "session.renew", idempotent: true });
      return rows.length === 1;
    },
    async beginCompletion(sessionId, leaseMs) {
      const rows = await database.write((sql) =>
        sql`
          update upload_session
          set state = 'completing', updated_at = clock_timestamp(),
            lease_expires_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
          where id = ${sessionId} and state in ('open', 'completing')
            and coalesce(lease_expires_at, '-infinity') < clock_timestamp()
            and expires_at > clock_timestamp()
          returning 1`, { name: "session.begin_completion" });
      return rows.length === 1;
    },
    async end(sessionId, outcome) {
      const hash = outcome.state === "done" ? outcome.hash : null;
      await database.write((sql) =>
        sql`
          update upload_session
          set state = ${outcome.state}, updated_at = clock_timestamp(),
            declared_hash = coalesce(decode(${hash}, 'hex'), declared_hash),
            lease_expires_at = case when ${outcome.state} = 'open' then null
              else lease_expires_at end
          where id = ${sessionId} and state = 'completing'`, {
        name: "session.end",
        idempotent: true,
      });
    },
    async release(sessionId) {
      await database.write((sql) =>
        sql`
          with forgotten as (delete from upload_session where id = ${sessionId} and kind = 'stream')
          update upload_session set lease_expires_at = null, updated_at = clock_timestamp()
          where id = ${sessionId} and kind <> 'stream'`, {
        name: "session.release",
        idempotent: true,
      });
    },
  };
}
