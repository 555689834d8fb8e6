import type { HeldJobLease, JobLeases } from "../../core/job_lease.ts";
import type { Database, Sql } from "./database.ts";
import type { SqlFragment } from "./sql_types.ts";

/** Leases of jobs in the table `job_lease`. */
export function createJobLeases(database: Database): JobLeases {
  return {
    async acquire(name, { holder, ttlMs }) {
      const [row] = await database.write((sql) =>
        sql<{ token: number }[]>`
          insert into job_lease (name, holder, expires_at)
          values (${name}, ${holder}, clock_timestamp() + ${ttlMs} * interval '1 millisecond')
          on conflict (name) do update
          set holder = excluded.holder, token = job_lease.token + 1,
            expires_at = excluded.expires_at
          where job_lease.expires_at < clock_timestamp()
          returning token`, { name: "job_lease.acquire" });
      return row ? hold(database, { name, holder, token: row.token, ttlMs }) : null;
    },
  };
}

function hold(
  database: Database,
  lease: { name: string; holder: string; token: number; ttlMs: number },
): HeldJobLease {
  const { name, holder, token, ttlMs } = lease;
  return {
    name,
    token,
    async renew() {
      const rows = await database.write((sql) =>
        sql`
          update job_lease
          set expires_at = clock_timestamp() + ${ttlMs} * interval '1 millisecond'
          where name = ${name} and token = ${token} and holder = ${holder}
            and expires_at > clock_timestamp()
          returning 1`, { name: "job_lease.renew", idempotent: true });
      return rows.length === 1;
    },
    async release() {
      await database.write((sql) =>
        sql`
          update job_lease set expires_at = '-infinity'
          where name = ${name} and token = ${token} and holder = ${holder}`, {
        name: "job_lease.release",
        idempotent: true,
      });
    },
  };
}

/** A condition: the lease is held still. */
export function holdsLease(sql: Sql, { name, token }: HeldJobLease): SqlFragment {
  return sql`exists (
    select 1 from job_lease
    where name = ${name} and token = ${token} and expires_at > clock_timestamp())`;
}
