import type { EnvReader } from "./env_reader.ts";

const DAY = 24 * 3_600_000;

/** The kinds of S3 that are told apart; `ceph-tiered` has AWS's storage classes. */
export type S3Dialect = "aws" | "r2" | "ceph" | "ceph-tiered";

/** By the host's name; an unknown one is taken to have no storage classes. */
export function guessDialect(endpoint: string | undefined): S3Dialect {
  if (endpoint === undefined) return "ceph";
  const { hostname } = new URL(endpoint);
  if (hostname.endsWith(".r2.cloudflarestorage.com")) return "r2";
  return /(^|\.)amazonaws\.com(\.cn)?$/.test(hostname) ? "aws" : "ceph";
}

/** Archiving, and what the service costs. */
export interface UpkeepConfig {
  /** Assets that nobody asked for in so many days are archived. */
  readonly archiveAfterDays: number;
  readonly cost: {
    /** `r2`, `s3`, `reference`, or the path of a JSON file. */
    readonly profile: string;
    /** US dollars per month; null is no budget. */
    readonly budgetUsd: number | null;
    /** Where the daily digest is posted to; null is nowhere. */
    readonly webhook: { readonly url: string; readonly secret: string | null } | null;
    /** What moving here cost, for the payback; null when nobody said. */
    readonly migrationUsd: number | null;
  };
}

/** Reads how assets age and what the service may cost. */
export function readUpkeep(env: EnvReader): UpkeepConfig {
  const archiveAfterMs = env.durationMs("ARCHIVE_AFTER", 180 * DAY, { min: DAY, max: 3_650 * DAY });
  const profile = env.text("COST_PROFILE", "r2");
  const budgetUsd = env.parsed("COST_BUDGET_USD", parseUsd) ?? null;
  const migrationUsd = env.parsed("COST_MIGRATION_USD", parseUsd) ?? null;
  const url = env.url("COST_WEBHOOK_URL");
  const secret = env.optional("COST_WEBHOOK_SECRET", { secret: true }) ?? null;
  if (url === undefined && secret !== null) {
    env.problems.push("COST_WEBHOOK_SECRET is of no use without COST_WEBHOOK_URL");
  }
  return {
    archiveAfterDays: Math.floor(archiveAfterMs / DAY),
    cost: { profile, budgetUsd, migrationUsd, webhook: url ? { url, secret } : null },
  };
}

function parseUsd(text: string): number {
  if (!/^\d{1,9}(\.\d{1,2})?$/.test(text)) throw new RangeError("must be an amount such as 250");
  return Number(text);
}
