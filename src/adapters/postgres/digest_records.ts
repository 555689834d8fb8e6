import type { DigestRecords, DigestSummary } from "../../costs/ports.ts";
import type { Database } from "./database.ts";

/** Whoever claimed a digest and fell silent is taken for dead after this. */
const CLAIM_LASTS = "10 minutes";

/** The record of digests in Postgres. */
export function createDigestRecords(database: Database): DigestRecords {
  return {
    async claim(day) {
      const [row] = await database.write((sql) =>
        sql<{ previous: DigestSummary | null }[]>`
          insert into cost_digest as digest (day, attempts) values (${day}, 1)
          on conflict (day) do update
          set claimed_at = clock_timestamp(), attempts = digest.attempts + 1
          where digest.sent_at is null
            and digest.claimed_at < clock_timestamp() - ${CLAIM_LASTS}::interval
          returning (
            select summary from cost_digest as before
            where before.day < ${day}::date and before.sent_at is not null
            order by before.day desc limit 1) as previous`, { name: "digest.claim" });
      return row ?? null;
    },
    async markSent(day, summary) {
      await database.write((sql) =>
        sql`
          update cost_digest
          set sent_at = clock_timestamp(), summary = ${JSON.stringify(summary)}::text::jsonb
          where day = ${day}`, { name: "digest.mark_sent", idempotent: true });
    },
    async giveBack(day) {
      await database.write((sql) => sql`update cost_digest set sent_at = null where day = ${day}`, {
        name: "digest.give_back",
        idempotent: true,
      });
    },
  };
}
