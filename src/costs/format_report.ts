/**
 * The cost report for people: plain text that a finance person can read, and CSV.
 *
 * @module
 */
import { type CostLines, PREGENERATED_VARIANTS } from "../core/cost_model.ts";
import type { CostReport } from "./cost_report.ts";

const BAR_WIDTH = 40;

const LINE_NAMES: Readonly<Record<keyof CostLines, string>> = {
  base: "Plan",
  storage: "Stored bytes",
  operations: "Requests to the store",
  requests: "Requests served",
  compute: "Compute time",
  cache: "Shared cache",
  egress: "Bytes sent",
  database: "Database",
};

/** Writes the report as text, 80 columns wide where nothing is longer. */
export function formatReportText(report: CostReport): string {
  const { profile, days } = report;
  return [
    `COST OF ONE MONTH, in US dollars (prices "${profile.name}" of ${profile.asOf})`,
    `Measured over ${days} days; flows are converted to 30 days.`,
    "",
    ...formatUsage(report),
    "",
    ...formatComparison(report),
    "",
    ...formatSavings(report),
    "",
    ...formatProjections(report),
    ...formatReference(report),
    "",
    "ASSUMPTIONS",
    ...report.assumptions.flatMap((each) => wrap(each, "  - ")),
    "SOURCES OF THE PRICES",
    ...profile.sources.map((each) => `  - ${each}`),
  ].join("\n");
}

function formatUsage({ usage, hitPercent }: CostReport): string[] {
  const rawBytes = usage.standardBytes + usage.infrequentBytes + usage.archiveBytes;
  const { listing } = usage;
  return [
    "MEASURED",
    row("Assets", formatCount(usage.assets)),
    row("Bytes of originals, by the catalog", formatBytes(rawBytes)),
    listing === null ? row("… by the bucket's listing", "not compared yet: run reconcile") : row(
      `… by the bucket's listing of ${listing.at.toISOString().slice(0, 10)}`,
      `${formatBytes(listing.objectBytes)} (the catalog then: ${formatBytes(listing.rowBytes)})`,
    ),
    row("Requests for variants", formatCount(usage.variantRequests)),
    row("… for originals", formatCount(usage.originalRequests)),
    row("… answered by a cache", hitPercent === null ? "–" : `${hitPercent} %`),
    row("Renders", formatCount(usage.renders)),
    row("Compute time", `${(usage.computeMs / 3_600_000).toFixed(2)} hours`),
    row("Bytes sent", formatBytes(usage.egressBytes)),
  ];
}

function formatComparison({ comparison }: CostReport): string[] {
  const { current, legacy } = comparison;
  const names = Object.keys(LINE_NAMES) as (keyof CostLines)[];
  const longest = Math.max(comparison.currentUsd, comparison.legacyUsd);
  return [
    `PER MONTH ${"".padEnd(24)}${"on demand".padStart(14)}${"pre-generated".padStart(18)}`,
    ...names.map((name) =>
      `  ${LINE_NAMES[name].padEnd(32)}${usd(current[name]).padStart(14)}${
        usd(legacy[name]).padStart(18)
      }`
    ),
    `  ${"Together".padEnd(32)}${usd(comparison.currentUsd).padStart(14)}${
      usd(comparison.legacyUsd).padStart(18)
    }`,
    "",
    `  on demand     ${bar(comparison.currentUsd, longest)} ${usd(comparison.currentUsd)}`,
    `  pre-generated ${bar(comparison.legacyUsd, longest)} ${usd(comparison.legacyUsd)}`,
  ];
}

function formatSavings({ comparison, payback }: CostReport): string[] {
  const never = comparison.pregenerated === 0
    ? "–"
    : `${formatCount(comparison.neverRequested)} of ${formatCount(comparison.pregenerated)}`;
  return [
    "WHAT THAT MEANS",
    row("Saved per month", `${usd(comparison.savingsUsd)} (${comparison.savingsPercent} %)`),
    row("Return on investment", `${comparison.savingsPercent} % of what pre-generating would cost`),
    row("Storage avoided", formatBytes(comparison.storageAvoidedBytes)),
    row("Variants nobody would have asked for", never),
    row("To make them all today, once", usd(comparison.legacyBacklogUsd)),
    payback === null ? row("Payback", "needs the cost of migrating (COST_MIGRATION_USD)") : row(
      "Payback",
      `${usd(payback.migrationUsd)} ÷ ${usd(comparison.savingsUsd)} a month = ${
        formatMonths(payback.months)
      }`,
    ),
  ];
}

function formatProjections({ comparison, projections }: CostReport): string[] {
  const all = [{ factor: 1, comparison }, ...projections];
  return [
    `PROJECTION${"".padEnd(24)}${"on demand".padStart(14)}${"pre-generated".padStart(18)}`,
    ...all.map((each) =>
      `  ${`${each.factor} × of everything`.padEnd(32)}${
        usd(each.comparison.currentUsd).padStart(14)
      }${usd(each.comparison.legacyUsd).padStart(18)}`
    ),
  ];
}

function formatReference({ reference, comparison, payback }: CostReport): string[] {
  if (reference === null) return [];
  const breakEven = formatMonths(reference.breakEvenMonths);
  return [
    "",
    "THE PUBLISHED CALCULATION, for comparison",
    row("On demand", usd(reference.currentUsd)),
    row(`${PREGENERATED_VARIANTS} variants of everything`, usd(reference.legacyUsd)),
    row("Savings", `${usd(reference.savingsUsd)} (ROI ${reference.roiPercent} %)`),
    row("Its break-even", breakEven),
    ...wrap(
      "Its break-even is no payback time: it divides a running cost by a saving. Its egress is no " +
        "measurement but 35 % of the stored bytes, and its storage of variants is five times the " +
        "originals.",
      "  ",
    ),
    row("Ours, measured: saved per month", usd(comparison.savingsUsd)),
    row(
      "Ours: payback",
      payback === null ? "needs COST_MIGRATION_USD" : formatMonths(payback.months),
    ),
  ];
}

/** Writes the report's figures as CSV (RFC 4180): name, value, unit. */
export function formatReportCsv(report: CostReport): string {
  const { comparison, usage } = report;
  const lines: (readonly [string, number | string, string])[] = [
    ["profile", report.profile.name, ""],
    ["prices_as_of", report.profile.asOf, ""],
    ["days", report.days, "days"],
    ["assets", usage.assets, ""],
    ["variant_requests", usage.variantRequests, ""],
    ["renders", usage.renders, ""],
    ["egress", usage.egressBytes, "bytes"],
    ...(Object.keys(LINE_NAMES) as (keyof CostLines)[]).flatMap((name) => [
      [`on_demand_${name}`, comparison.current[name].toFixed(2), "USD/month"] as const,
      [`pregenerated_${name}`, comparison.legacy[name].toFixed(2), "USD/month"] as const,
    ]),
    ["on_demand_total", comparison.currentUsd.toFixed(2), "USD/month"],
    ["pregenerated_total", comparison.legacyUsd.toFixed(2), "USD/month"],
    ["savings", comparison.savingsUsd.toFixed(2), "USD/month"],
    ["savings_share", comparison.savingsPercent, "percent"],
    ["variants_never_requested", comparison.neverRequested, ""],
    ...report.projections.flatMap(({ factor, comparison }) => [
      [`on_demand_total_${factor}x`, comparison.currentUsd.toFixed(2), "USD/month"] as const,
      [`pregenerated_total_${factor}x`, comparison.legacyUsd.toFixed(2), "USD/month"] as const,
    ]),
  ];
  const quote = (value: number | string) => {
    const text = String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return ["name,value,unit", ...lines.map((line) => line.map(quote).join(","))].join("\r\n");
}

function row(name: string, value: string): string {
  return `  ${name.padEnd(38)} ${value}`;
}

function bar(value: number, longest: number): string {
  const width = longest > 0 ? Math.round(Math.max(0, value) / longest * BAR_WIDTH) : 0;
  return "█".repeat(width).padEnd(BAR_WIDTH, "·");
}

/** `1,234.50`; thousands are separated, since these are read by people. */
export function usd(value: number): string {
  return value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

function formatCount(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function formatMonths(months: number): string {
  return Number.isFinite(months) ? `${months.toFixed(1)} months` : "never: nothing is saved";
}

function formatBytes(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB", "PB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return unit === 0 ? `${bytes} bytes` : `${value.toFixed(1)} ${units[unit]}`;
}

function wrap(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(" ")) {
    if (line.length + word.length >= 80 && line.trim() !== "-") {
      lines.push(line.trimEnd());
      line = " ".repeat(indent.length);
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()];
}
