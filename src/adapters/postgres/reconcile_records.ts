import type { HeldJobLease } from "../../core/job_lease.ts";
import { formatRawShardPrefix } from "../../core/object_keys.ts";
import type { Finding, ReconcileRecords, RunRecord } from "../../reconcile/ports.ts";
import type { Database, Sql } from "./database.ts";
import { holdsLease } from "./job_leases.ts";
import type { SqlFragment } from "./sql_types.ts";

/** Findings written by one statement. */
const BATCH = 1_000;

/** Runs, findings and the manifest of the quarantine in Postgres. */
export function createReconcileRecords(database: Database): ReconcileRecords {
  return {
    ...createRuns(database),
    ...createManifest(database),
    saveFindings: (run, findings) => writeFindings(database, run, findings),
    async listFindings(runId, limit) {
      return await database.read((sql) =>
        sql<Finding[]>`
          select kind, object_key as key, action, details from reconcile_finding
          where last_seen_run = ${runId} order by object_key, kind limit ${limit}`, {
        name: "reconcile.list_findings",
      });
    },
  };
}

type Runs = Pick<
  ReconcileRecords,
  "begin" | "saveShard" | "end" | "find" | "findOpen" | "findLatest"
>;

function createRuns(database: Database): Runs {
  return {
    begin: (run, lease) =>
      database.transaction((sql) => beginRun(sql, run, lease), { name: "reconcile.begin" }),
    async saveShard(run, shard, lease) {
      await writeFindings(database, run, shard.findings);
      return await database.transaction(async (sql) => {
        const saved = await sql`
          update reconcile_run
          set next_shard = ${shard.number + 1}, counts = ${
          JSON.stringify(shard.counts)
        }::text::jsonb,
            updated_at = clock_timestamp()
          where id = ${run.id} and status = 'running' and ${holdsLease(sql, lease)} returning 1`;
        if (saved.length === 0) return false;
        if (shard.complete && !run.dryRun) await resolveUnseen(sql, run.id, shard.number);
        return true;
      }, { name: "reconcile.save_shard" });
    },
    async end(runId, { status, counts, error }, lease) {
      const rows = await database.write((sql) =>
        sql`
          update reconcile_run
          set status = ${status}, counts = ${JSON.stringify(counts)}::text::jsonb,
            error = ${error}, finished_at = clock_timestamp(), updated_at = clock_timestamp()
          where id = ${runId} and status = 'running' and ${holdsLease(sql, lease)}
          returning 1`, { name: "reconcile.end" });
      return rows.length === 1;
    },
    async find(runId) {
      const [row] = await database.read(
        (sql) => sql<RunRecord[]>`select ${runColumns(sql)} from reconcile_run where id = ${runId}`,
        {
          name: "reconcile.find_run",
        },
      );
      return row ?? null;
    },
    async findOpen() {
      const [row] = await database.read((sql) =>
        sql<RunRecord[]>`
          select ${runColumns(sql)} from reconcile_run where status = 'running'
          order by started_at desc limit 1`, { name: "reconcile.open_run" });
      return row ?? null;
    },
    async findLatest() {
      const [row] = await database.read((sql) =>
        sql<RunRecord[]>`
          select ${runColumns(sql)} from reconcile_run
          where status = 'finished' and first_shard = 0 and last_shard = 255
          order by started_at desc limit 1`, { name: "reconcile.latest_run" });
      return row ?? null;
    },
  };
}

function runColumns(sql: Sql): SqlFragment {
  return sql`
    id, status, dry_run as "dryRun", repair, first_shard as "firstShard",
    last_shard as "lastShard", next_shard as "nextShard",
    case when counts ? 'rows' then counts end as counts,
    requested_by as "requestedBy", error, started_at as "startedAt", finished_at as "finishedAt"`;
}

/** Whoever holds the lease knows that every run that is still open was killed. */
async function beginRun(
  sql: Sql,
  run: Parameters<ReconcileRecords["begin"]>[0],
  lease: HeldJobLease,
): Promise<RunRecord> {
  const [open] = await sql<RunRecord[]>`
    select ${runColumns(sql)} from reconcile_run
    where status = 'running' and dry_run = ${run.dryRun} and repair = ${run.repair}
      and first_shard = ${run.firstShard} and last_shard = ${run.lastShard}
      and updated_at > clock_timestamp() - interval '7 days' and ${holdsLease(sql, lease)}
    order by started_at desc limit 1`;
  await sql`
    update reconcile_run
    set status = 'interrupted', finished_at = clock_timestamp(), updated_at = clock_timestamp()
    where status = 'running' and id is distinct from ${open?.id ?? null}
      and ${holdsLease(sql, lease)}`;
  if (open) return open;
  const [made] = await sql<RunRecord[]>`
    insert into reconcile_run (id, status, dry_run, repair, first_shard, last_shard, next_shard,
      requested_by)
    values (${run.id}, 'running', ${run.dryRun}, ${run.repair}, ${run.firstShard},
      ${run.lastShard}, ${run.firstShard}, ${run.requestedBy})
    returning ${runColumns(sql)}`;
  return made;
}

async function writeFindings(
  database: Database,
  run: RunRecord,
  findings: readonly Finding[],
): Promise<void> {
  for (let from = 0; from < findings.length; from += BATCH) {
    const batch = findings.slice(from, from + BATCH);
    await database.write((sql) =>
      sql`
        insert into reconcile_finding (kind, object_key, first_seen_run, last_seen_run, action,
          details)
        select kind, key, ${run.id}::uuid, ${run.id}::uuid, action, details
        from jsonb_to_recordset(${JSON.stringify(batch)}::text::jsonb)
          as found (kind text, key text, action text, details jsonb)
        on conflict (object_key, kind) where resolved_at is null do update
        set last_seen_run = excluded.last_seen_run, last_seen_at = clock_timestamp(),
          action = excluded.action, details = excluded.details`, {
      name: "reconcile.save_findings",
      idempotent: true,
    });
  }
}

/** "0" is the character after "/": the range holds exactly the keys of the shard. */
async function resolveUnseen(sql: Sql, runId: string, shard: number): Promise<void> {
  const prefix = formatRawShardPrefix(shard);
  await sql`
    update reconcile_finding set resolved_at = clock_timestamp()
    where resolved_at is null and last_seen_run <> ${runId} and kind <> 'hash_mismatch'
      and object_key >= ${prefix} and object_key < ${prefix.slice(0, -1) + "0"}`;
}

type Manifest = Pick<ReconcileRecords, "addToManifest" | "listExpired" | "markDeleted">;

function createManifest(database: Database): Manifest {
  return {
    async addToManifest(object, { runId, retentionMs }) {
      await database.write((sql) =>
        sql`
          insert into quarantine_manifest (quarantine_key, object_key, size_bytes, etag,
            last_modified_at, run_id, delete_after)
          values (${object.quarantineKey}, ${object.objectKey}, ${object.sizeBytes},
            ${object.etag}, ${object.lastModifiedAt}, ${runId},
            clock_timestamp() + ${retentionMs} * interval '1 millisecond')
          on conflict (quarantine_key) do update
          set size_bytes = excluded.size_bytes, etag = excluded.etag,
            last_modified_at = excluded.last_modified_at, run_id = excluded.run_id,
            quarantined_at = clock_timestamp(), delete_after = excluded.delete_after,
            deleted_at = null`, { name: "reconcile.manifest", idempotent: true });
    },
    async listExpired(runId, limit) {
      return await database.read((sql) =>
        sql<{ quarantineKey: string }[]>`
          select quarantine_key as "quarantineKey" from quarantine_manifest
          where deleted_at is null and delete_after < clock_timestamp() and run_id <> ${runId}
          order by delete_after limit ${limit}`, { name: "reconcile.list_expired" });
    },
    async markDeleted(quarantineKeys) {
      await database.write((sql) =>
        sql`
          update quarantine_manifest set deleted_at = clock_timestamp()
          where quarantine_key = any(${quarantineKeys as string[]}::text[])`, {
        name: "reconcile.mark_deleted",
        idempotent: true,
      });
    },
  };
}
