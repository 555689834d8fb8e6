import type { ContentHash } from "../../core/content_hash.ts";
import type { PurgeLayerName, PurgeOutbox, PurgeTask } from "../../purge/ports.ts";
import type { Database, Sql } from "./database.ts";

interface Row {
  readonly id: string;
  readonly hash: ContentHash | null;
  readonly tag: string;
  readonly layers: readonly PurgeLayerName[];
  readonly attempts: number;
}

/** The purge outbox in Postgres. A claim moves `next_attempt_at` by the database's clock. */
export function createPurgeOutbox(database: Database): PurgeOutbox {
  return {
    async add({ hash, tag }, { reason, layers, leaseMs }) {
      const [row] = await database.write((sql) =>
        sql<Row[]>`
          insert into purge_outbox (content_hash, tag, reason, layers, next_attempt_at)
          values (decode(${hash}, 'hex'), ${tag}, ${reason}, ${JSON.stringify(layers)}::text::jsonb,
            clock_timestamp() + ${leaseMs} * interval '1 millisecond')
          returning ${columns(sql)}`, { name: "purge.add" });
      return toTask(row);
    },
    async claim({ limit, leaseMs }) {
      const rows = await database.write((sql) =>
        sql<Row[]>`
          update purge_outbox set ${claimed(sql, leaseMs)}
          where id in (
            select id from purge_outbox
            where done_at is null and next_attempt_at <= clock_timestamp()
            order by next_attempt_at limit ${limit}
            for update skip locked
          )
          returning ${columns(sql)}`, { name: "purge.claim" });
      return rows.map(toTask);
    },
    async claimFor(hash, leaseMs) {
      const rows = await database.write((sql) =>
        sql<Row[]>`
          update purge_outbox set ${claimed(sql, leaseMs)}
          where id in (
            select id from purge_outbox
            where done_at is null and content_hash = decode(${hash}, 'hex')
            order by id limit 100
            for update skip locked
          )
          returning ${columns(sql)}`, { name: "purge.claim_for" });
      return rows.map(toTask);
    },
    async settle(id, { layersLeft, retryInMs }) {
      await database.write((sql) =>
        sql`
          update purge_outbox
          set attempts = attempts + 1, layers = ${JSON.stringify(layersLeft)}::text::jsonb,
            done_at = case when ${layersLeft.length} = 0 then clock_timestamp() end,
            next_attempt_at = clock_timestamp() + ${retryInMs} * interval '1 millisecond'
          where id = ${id} and done_at is null`, { name: "purge.settle" });
    },
  };
}

function columns(sql: Sql) {
  return sql`id::text, encode(content_hash, 'hex') as hash, tag, layers, attempts`;
}

function claimed(sql: Sql, leaseMs: number) {
  return sql`next_attempt_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond'`;
}

function toTask({ id, hash, tag, layers, attempts }: Row): PurgeTask {
  return { id, target: { hash, tag }, layers, attempts };
}
