import {
  compareCosts,
  type CostComparison,
  DEFAULT_ASSUMPTIONS,
  PREGENERATED_VARIANTS,
  type PriceProfile,
} from "../core/cost_model.ts";
import {
  calculatePaybackMonths,
  calculateReferenceCost,
  type ReferenceCost,
} from "../core/reference_cost.ts";
import type { UsageReader, UsageReading } from "./ports.ts";

/** Sizes that a report looks ahead to. */
const FACTORS = [10, 100] as const;

/** What a month costs, and what it rests on. */
export interface CostReport {
  readonly days: number;
  readonly profile: Pick<PriceProfile, "name" | "asOf" | "sources">;
  readonly usage: UsageReading;
  /** Share of variant requests that needed no render, percent; null when nothing was asked for. */
  readonly hitPercent: number | null;
  readonly comparison: CostComparison;
  readonly projections: readonly { readonly factor: number; readonly comparison: CostComparison }[];
  /** The published calculation; null unless the profile asks for it. */
  readonly reference: ReferenceCost | null;
  readonly payback: { readonly migrationUsd: number; readonly months: number } | null;
  readonly assumptions: readonly string[];
}

/** What a report is to be made of. */
export interface ReportRequest {
  readonly days: number;
  readonly profile: PriceProfile;
  /** What moving here cost. US dollars. */
  readonly migrationUsd: number | null;
}

/** Reads what was measured and prices it. */
export async function buildCostReport(
  reader: UsageReader,
  request: ReportRequest,
): Promise<CostReport> {
  const { days, profile, migrationUsd } = request;
  const usage = await reader.read(days);
  const comparison = compareCosts(usage, profile);
  return {
    days: usage.days,
    profile: { name: profile.name, asOf: profile.asOf, sources: profile.sources },
    usage,
    hitPercent: calculateHitPercent(usage),
    comparison,
    projections: FACTORS.map((factor) => ({
      factor,
      comparison: compareCosts(usage, profile, { factor }),
    })),
    reference: profile.name === "reference" ? calculateReference(usage) : null,
    payback: migrationUsd === null ? null : {
      migrationUsd,
      months: calculatePaybackMonths(migrationUsd, comparison.savingsUsd),
    },
    assumptions: listAssumptions(usage, profile),
  };
}

/** Share of lookups that a cache answered, percent with one decimal. */
export function calculateHitPercent(
  usage: Pick<UsageReading, "memoryHits" | "kvHits" | "misses">,
): number | null {
  const hits = usage.memoryHits + usage.kvHits;
  const lookups = hits + usage.misses;
  return lookups === 0 ? null : Math.round(hits / lookups * 1_000) / 10;
}

/** Its month is the one of the ledger; without one, it has assumptions of its own. */
function calculateReference(usage: UsageReading): ReferenceCost {
  const rawBytes = usage.standardBytes + usage.infrequentBytes + usage.archiveBytes;
  if (!usage.counted) return calculateReferenceCost({ rawBytes });
  const perMonth = 30 / usage.days;
  return calculateReferenceCost({
    rawBytes,
    requests: usage.variantRequests * perMonth,
    misses: usage.misses * perMonth,
  });
}

function listAssumptions(usage: UsageReading, profile: PriceProfile): string[] {
  const { variantSizeShare, renderMs, ...assumed } = DEFAULT_ASSUMPTIONS;
  return [
    `Requests, renders, compute and egress are those of ${usage.days} days, as of 30 days.`,
    "Requests that a CDN answers never reach the service: they are in neither bill.",
    "Both bills have the same originals, requests and bytes sent; what differs is named above.",
    `Pre-generating makes ${PREGENERATED_VARIANTS} variants of every asset at its upload, keeps ` +
    "them in the standard class, reads one of them per request and has a database row for each.",
    usage.variants > 0
      ? "The size of a variant is the mean of those that were sent."
      : `A variant is taken to have ${variantSizeShare * 100} % of its original's bytes.`,
    usage.renders > 0
      ? "The compute time of a variant is the mean of those that were rendered."
      : `A variant is taken to need ${renderMs} ms.`,
    `A database row takes ${assumed.assetRowBytes} bytes per asset, ${assumed.variantRowBytes} per ` +
    "variant.",
    `KV bills reads by ${assumed.kvReadUnitBytes} bytes and writes by ${assumed.kvWriteUnitBytes} ` +
    "(not confirmed), and keeps every variant that was asked for.",
    "Savings are running costs only: neither people nor migration nor tax.",
    ...profile.notes,
    ...(usage.counted ? [] : ["Nothing was counted yet: flows are zero, not an estimate."]),
  ];
}
