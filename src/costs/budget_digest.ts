/**
 * The daily digest: what was spent this month, what the month will cost at this rate, and what
 * changed since the last one.
 *
 * A digest is sent at most once per day. It is noted as sent *before* it is posted, so that neither
 * a crash nor a lost answer sends it again; only when it certainly did not arrive is the note taken
 * back and the posting tried again, now and by the next call.
 *
 * @module
 */
import type { PriceProfile } from "../core/cost_model.ts";
import { buildCostReport, type CostReport } from "./cost_report.ts";
import { usd } from "./format_report.ts";
import type { DigestRecords, DigestSummary, UsageReader, Webhook } from "./ports.ts";

/** What the digest needs. */
export interface BudgetDigestDeps {
  readonly reader: UsageReader;
  readonly records: DigestRecords;
  readonly webhook: Webhook;
  readonly profile: () => Promise<PriceProfile>;
  /** US dollars per month; null is no budget. */
  readonly budgetUsd: number | null;
  readonly now: () => Date;
  /** Waits between tries. Milliseconds. @default {[1000, 5000, 20000]} */
  readonly retryPausesMs?: readonly number[];
}

/** What a call did. */
export type DigestOutcome = "sent" | "already_sent" | "may_have_arrived" | "failed";

/** Sends digests. */
export interface BudgetDigest {
  sendToday(): Promise<DigestOutcome>;
}

/** Creates the digest. */
export function createBudgetDigest(deps: BudgetDigestDeps): BudgetDigest {
  const { records, webhook, retryPausesMs = [1_000, 5_000, 20_000] } = deps;
  return {
    async sendToday() {
      const now = deps.now();
      const day = now.toISOString().slice(0, 10);
      const claim = await records.claim(day);
      if (claim === null) return "already_sent";
      const profile = await deps.profile();
      const days = now.getUTCDate();
      const report = await buildCostReport(deps.reader, { days, profile, migrationUsd: null });
      const summary = summarize(report, now);
      const text = formatDigest(summary, { ...deps, now, previous: claim.previous });
      for (let attempt = 0;; attempt++) {
        await records.markSent(day, summary);
        const outcome = await webhook.post({ id: `facet-digest-${day}`, text });
        if (outcome === "delivered") return "sent";
        if (outcome === "unknown") return "may_have_arrived";
        await records.giveBack(day);
        if (attempt >= retryPausesMs.length) return "failed";
        await new Promise((resolve) => setTimeout(resolve, retryPausesMs[attempt]));
      }
    },
  };
}

/** Spending is taken to be even over the month: the rate so far is that of its end. */
function summarize(report: CostReport, now: Date): DigestSummary {
  const { comparison, usage } = report;
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  const [begins, ends] = [Date.UTC(year, month, 1), Date.UTC(year, month + 1, 1)];
  const passed = (now.getTime() - begins) / (ends - begins);
  return {
    projectedUsd: comparison.currentUsd,
    spentUsd: Math.round(comparison.currentUsd * passed * 100) / 100,
    hitPercent: report.hitPercent,
    driftPercent: usage.listing === null ? null : usage.listing.driftRatio * 100,
    assets: usage.assets,
  };
}

/** Writes the message: a few lines of plain text, as chats show it. */
export function formatDigest(
  summary: DigestSummary,
  context: {
    readonly budgetUsd: number | null;
    readonly previous: DigestSummary | null;
    readonly now: Date;
  },
): string {
  const { budgetUsd, previous } = context;
  const share = budgetUsd ? Math.round(summary.projectedUsd / budgetUsd * 100) : null;
  const over = budgetUsd !== null && summary.projectedUsd > budgetUsd;
  return [
    `Facet, ${context.now.toISOString().slice(0, 10)}: ${usd(summary.spentUsd)} USD so far this ` +
    `month, ${usd(summary.projectedUsd)} USD projected` +
    (budgetUsd === null ? "" : `, budget ${usd(budgetUsd)} USD (${share ?? "–"} %)`) +
    (over ? ": OVER BUDGET" : ""),
    `Cache hits: ${formatPercent(summary.hitPercent, 1)}; drift: ${
      formatPercent(summary.driftPercent, 4)
    }; assets: ${summary.assets.toLocaleString("en-US")}`,
    ...(previous === null ? [] : [formatChanges(summary, previous)]),
  ].join("\n");
}

function formatChanges(now: DigestSummary, before: DigestSummary): string {
  const signed = (value: number, digits: number) =>
    `${value < 0 ? "−" : "+"}${
      Math.abs(value).toLocaleString("en-US", {
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
      })
    }`;
  const parts = [
    `projected ${signed(now.projectedUsd - before.projectedUsd, 2)} USD`,
    `assets ${signed(now.assets - before.assets, 0)}`,
  ];
  if (now.hitPercent !== null && before.hitPercent !== null) {
    parts.push(`hits ${signed(now.hitPercent - before.hitPercent, 1)} points`);
  }
  if (now.driftPercent !== null && before.driftPercent !== null) {
    parts.push(`drift ${signed(now.driftPercent - before.driftPercent, 4)} points`);
  }
  return `Since the last digest: ${parts.join(", ")}`;
}

function formatPercent(value: number | null, digits: number): string {
  return value === null ? "not known" : `${value.toFixed(digits)} %`;
}
