/**
 * A published calculation of what on-demand variants save, reproduced to the cent.
 *
 * It is kept for comparison, and it is naive in two places that every report should name: its
 * break-even divides a running cost by a saving, which is no payback time, and its egress is a
 * fixed share of the stored bytes, which is no measurement.
 *
 * @module
 */

const GIB = 2 ** 30;

/** The calculation's prices, in USD. */
const PRICES = {
  storagePerGib: 0.012,
  missesPerMillion: 0.5,
  egressPerGib: 0.01,
  legacyStoragePerGib: 0.023,
  legacyRequestsPerMillion: 2,
} as const;

/** Share of the stored bytes that it takes for egress. */
const EGRESS_SHARE = 0.35;
/** Variants that the legacy way makes of everything. */
const LEGACY_VARIANTS = 5;
/** What it assumes of a month where nothing was counted. */
const ASSUMED_REQUESTS = 2_100_000;
const ASSUMED_MISS_SHARE = 0.4;

/** What the calculation starts from: one month. */
export interface ReferenceUsage {
  /** Bytes of all originals. Not negative. */
  readonly rawBytes: number;
  /** Variant requests; 2,100,000 when undefined. */
  readonly requests?: number | undefined;
  /** Requests that had to be rendered; 40 % of the requests when undefined. */
  readonly misses?: number | undefined;
}

/** The outcome, rounded as published: money to the cent, the others to one decimal. */
export interface ReferenceCost {
  readonly currentUsd: number;
  readonly legacyUsd: number;
  readonly savingsUsd: number;
  /** Savings as a percentage of the legacy cost; 0 when that is 0. */
  readonly roiPercent: number;
  /** Current cost ÷ savings; infinite when nothing is saved. */
  readonly breakEvenMonths: number;
}

/** Computes the reference calculation. */
export function calculateReferenceCost(usage: ReferenceUsage): ReferenceCost {
  const { rawBytes, requests = ASSUMED_REQUESTS } = usage;
  const misses = usage.misses ?? requests * ASSUMED_MISS_SHARE;
  const rawGib = rawBytes / GIB;
  const current = rawGib * PRICES.storagePerGib +
    misses / 1e6 * PRICES.missesPerMillion +
    rawGib * EGRESS_SHARE * PRICES.egressPerGib;
  const legacy = LEGACY_VARIANTS * rawGib * PRICES.legacyStoragePerGib +
    requests / 1e6 * PRICES.legacyRequestsPerMillion;
  const savings = legacy - current;
  return {
    currentUsd: roundTo(current, 2),
    legacyUsd: roundTo(legacy, 2),
    savingsUsd: roundTo(savings, 2),
    roiPercent: legacy > 0 ? roundTo(savings / legacy * 100, 1) : 0,
    breakEvenMonths: savings > 0 ? roundTo(current / savings, 1) : Infinity,
  };
}

/** Payback of a migration: its cost over what it saves a month; infinite when nothing is saved. */
export function calculatePaybackMonths(migrationUsd: number, monthlySavingsUsd: number): number {
  return monthlySavingsUsd > 0 ? roundTo(migrationUsd / monthlySavingsUsd, 1) : Infinity;
}

/**
 * Rounds half away from zero at a decimal place, as money is rounded: 1.005 to 2 places is 1.01,
 * although the nearest double lies below it.
 */
export function roundTo(value: number, places: number): number {
  if (!Number.isFinite(value)) return value;
  return Math.sign(value) *
    shiftDecimals(Math.round(shiftDecimals(Math.abs(value), places)), -places);
}

/** Moves the decimal point of a number as it is written, which multiplying would not do exactly. */
function shiftDecimals(value: number, places: number): number {
  const [mantissa, exponent = "0"] = String(value).split("e");
  return Number(`${mantissa}e${Number(exponent) + places}`);
}
