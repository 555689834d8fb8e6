import type { ContentHash } from "../../core/content_hash.ts";
import type {
  SpanningKind,
  SpanningSession,
  SpanningSessions,
} from "../../uploads/resumable_ports.ts";
import type { Visibility } from "../../uploads/ports.ts";
import type { Database, Sql } from "./database.ts";

/** What has no column of its own. */
interface Metadata {
  readonly partSizeBytes: number;
  readonly tailKey: string | null;
  readonly fence: number;
  readonly visibility: Visibility | null;
  readonly rawMetadata: string | null;
}

interface Row {
  readonly sessionId: string;
  readonly kind: SpanningKind;
  readonly tenant: string;
  readonly keyId: string;
  readonly stagingKey: string;
  readonly multipartId: string | null;
  readonly hash: ContentHash | null;
  readonly sizeBytes: number;
  readonly offsetBytes: number;
  readonly fileName: string | null;
  readonly claimedType: string | null;
  readonly metadata: Metadata;
  readonly state: SpanningSession["state"];
  readonly expiresAt: Date;
  readonly expired: boolean;
}

/** The sessions of resumable and direct uploads in Postgres. */
export function createSpanningSessions(database: Database): SpanningSessions {
  return {
    async create(session, ttlMs) {
      const metadata: Metadata = {
        partSizeBytes: session.partSizeBytes,
        tailKey: null,
        fence: 0,
        visibility: session.visibility,
        rawMetadata: session.rawMetadata,
      };
      const [row] = await database.write((sql) =>
        sql<{ expiresAt: Date }[]>`
          insert into upload_session (id, kind, tenant, key_id, staging_key, multipart_id,
            declared_hash, declared_size, file_name, claimed_type, metadata, expires_at)
          values (${session.sessionId}, ${session.kind}, ${session.tenant}, ${session.keyId},
            ${session.stagingKey}, ${session.multipartId},
            decode(${session.expectedHash}, 'hex'), ${session.sizeBytes}, ${session.fileName},
            ${session.claimedType}, ${JSON.stringify(metadata)}::text::jsonb,
            clock_timestamp() + ${ttlMs} * interval '1 millisecond')
          returning expires_at as "expiresAt"`, { name: "spanning.create" });
      return row.expiresAt;
    },
    async find(tenant, sessionId) {
      const [row] = await database.read((sql) =>
        sql<Row[]>`
          select ${columns(sql)} from upload_session
          where id = ${sessionId} and tenant = ${tenant} and kind <> 'stream'`, {
        name: "spanning.find",
      });
      return row ? toSession(row) : null;
    },
    async beginWrite(sessionId, offsetBytes) {
      const [row] = await database.write((sql) =>
        sql<Row[]>`
          update upload_session
          set state = 'open', lease_expires_at = null, updated_at = clock_timestamp(),
            metadata = jsonb_set(metadata, '{fence}',
              to_jsonb((metadata->>'fence')::bigint + 1))
          where id = ${sessionId} and state in ('open', 'completing')
            and received_bytes = ${offsetBytes}
            and coalesce(lease_expires_at, '-infinity') < clock_timestamp()
            and expires_at > clock_timestamp()
          returning ${columns(sql)}`, { name: "spanning.begin_write" });
      return row ? toSession(row) : null;
    },
    async advance(sessionId, progress, ttlMs) {
      const rows = await database.write((sql) =>
        sql`
          update upload_session
          set received_bytes = ${progress.toBytes}, updated_at = clock_timestamp(),
            multipart_id = ${progress.multipartId},
            metadata = jsonb_set(metadata, '{tailKey}',
              coalesce(to_jsonb(${progress.tailKey}::text), 'null'::jsonb)),
            expires_at = clock_timestamp() + ${ttlMs} * interval '1 millisecond'
          where id = ${sessionId} and state = 'open'
            and received_bytes in (${progress.fromBytes}, ${progress.toBytes})
            and (metadata->>'fence')::bigint = ${progress.fence}
          returning 1`, { name: "spanning.advance", idempotent: true });
      return rows.length === 1;
    },
    async abort(sessionId, leaseMs) {
      const rows = await database.write((sql) =>
        sql`
          update upload_session
          set state = 'aborted', updated_at = clock_timestamp(),
            lease_expires_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
          where id = ${sessionId} and state in ('open', 'completing')
            and coalesce(lease_expires_at, '-infinity') < clock_timestamp()
          returning 1`, { name: "spanning.abort" });
      return rows.length === 1;
    },
  };
}

function columns(sql: Sql) {
  return sql`
    id as "sessionId", kind, tenant, key_id as "keyId", staging_key as "stagingKey",
    multipart_id as "multipartId", encode(declared_hash, 'hex') as hash,
    declared_size as "sizeBytes", received_bytes as "offsetBytes", file_name as "fileName",
    claimed_type as "claimedType", metadata, state, expires_at as "expiresAt",
    expires_at <= clock_timestamp() as expired`;
}

function toSession({ metadata, hash, ...row }: Row): SpanningSession {
  // While the session lasts the column holds what was declared, afterwards what it turned out to be.
  const done = row.state === "done";
  return { ...row, ...metadata, expectedHash: done ? null : hash, contentHash: done ? hash : null };
}
