/**
 * What a month costs, from what was measured and a list of prices: on demand as this service works,
 * and beside it pre-generating five variants of everything.
 *
 * @module
 */
import { roundTo } from "./reference_cost.ts";

/** Variants that are compared with: made of every asset at its upload. */
export const PREGENERATED_VARIANTS = 5;
/** Days of the month that everything is converted to. */
export const MONTH_DAYS = 30;

/** Prices in US dollars, with what the plan includes per month. */
export interface PriceProfile {
  readonly name: string;
  /** The day the prices are of, `YYYY-MM-DD`. */
  readonly asOf: string;
  readonly sources: readonly string[];
  /** What is not sure about them. */
  readonly notes: readonly string[];
  /** Bytes in the GB that the vendor bills: 10⁹ or 2³⁰. */
  readonly gbBytes: number;
  /** A month, whatever is used. */
  readonly baseUsd: number;
  readonly storage: {
    readonly standardPerGb: number;
    readonly infrequentPerGb: number;
    readonly archivePerGb: number;
    readonly includedGb: number;
  };
  /** Requests to the store that write and list (A), and that read (B). */
  readonly classA: Metered;
  readonly classB: Metered;
  readonly requests: Metered;
  readonly kvReads: Metered;
  readonly kvWrites: Metered;
  readonly kvStoragePerGb: number;
  readonly egress: { readonly perGb: number; readonly includedGb: number };
  readonly compute: { readonly perHour: number; readonly includedHours: number };
  readonly database: { readonly perMonth: number; readonly perGb: number };
}

/** A price by the million. */
export interface Metered {
  readonly perMillion: number;
  readonly included: number;
}

/** What was measured. Flows are of `days` days, stocks of now. */
export interface MeasuredUsage {
  /** Days that the flows cover; of today what has passed. Above 0. */
  readonly days: number;
  readonly assets: number;
  readonly newAssets: number;
  readonly standardBytes: number;
  readonly infrequentBytes: number;
  readonly archiveBytes: number;
  readonly variantRequests: number;
  readonly memoryHits: number;
  readonly kvHits: number;
  readonly misses: number;
  readonly notModified: number;
  readonly originalRequests: number;
  readonly renders: number;
  readonly egressBytes: number;
  readonly computeMs: number;
  /** Different variants that were asked for, and their bytes together. */
  readonly variants: number;
  readonly variantBytes: number;
  /** The same, counting at most five of each asset. */
  readonly variantsOfFive: number;
}

/** What is taken for granted where nothing was measured. */
export interface CostAssumptions {
  /** Size of a variant by that of its original. */
  readonly variantSizeShare: number;
  /** Compute time of one variant. Milliseconds. */
  readonly renderMs: number;
  /** Bytes of a database row of an asset, and of a variant where each has one. */
  readonly assetRowBytes: number;
  readonly variantRowBytes: number;
  /** Bytes that one unit of reading from, and of writing to, KV is for. */
  readonly kvReadUnitBytes: number;
  readonly kvWriteUnitBytes: number;
}

/** Assumptions of our own. */
export const DEFAULT_ASSUMPTIONS: CostAssumptions = {
  variantSizeShare: 0.1,
  renderMs: 80,
  assetRowBytes: 1_200,
  variantRowBytes: 400,
  kvReadUnitBytes: 4096,
  kvWriteUnitBytes: 1024,
};

/** Parts of a bill. US dollars per month. */
export interface CostLines {
  readonly base: number;
  readonly storage: number;
  readonly operations: number;
  readonly requests: number;
  readonly compute: number;
  readonly cache: number;
  readonly egress: number;
  readonly database: number;
}

/** A comparison of one month. Money in US dollars to the cent. */
export interface CostComparison {
  readonly current: CostLines;
  readonly currentUsd: number;
  readonly legacy: CostLines;
  readonly legacyUsd: number;
  readonly savingsUsd: number;
  /** Savings by what pre-generating would cost; percent, one decimal. */
  readonly savingsPercent: number;
  /** Computing what exists already once, if one began to pre-generate today. */
  readonly legacyBacklogUsd: number;
  readonly pregenerated: number;
  /** Of those, how many nobody has ever asked for. */
  readonly neverRequested: number;
  readonly storageAvoidedBytes: number;
}

/** Compares on-demand with pre-generated variants, for a usage that is `factor` times as large. */
export function compareCosts(
  measured: MeasuredUsage,
  prices: PriceProfile,
  options: { readonly assumptions?: CostAssumptions; readonly factor?: number } = {},
): CostComparison {
  const { assumptions = DEFAULT_ASSUMPTIONS, factor = 1 } = options;
  const usage = scaleUsage(measured, factor);
  const perVariant = estimateVariant(usage, assumptions);
  const current = priceOnDemand(usage, prices, { assumptions, perVariant });
  const legacy = pricePregenerated(usage, prices, { assumptions, perVariant });
  const [currentUsd, legacyUsd] = [sumLines(current), sumLines(legacy)];
  const pregenerated = usage.assets * PREGENERATED_VARIANTS;
  const backlogHours = pregenerated * perVariant.renderMs / 3_600_000;
  return {
    current,
    currentUsd: roundTo(currentUsd, 2),
    legacy,
    legacyUsd: roundTo(legacyUsd, 2),
    savingsUsd: roundTo(legacyUsd - currentUsd, 2),
    savingsPercent: legacyUsd > 0 ? roundTo((legacyUsd - currentUsd) / legacyUsd * 100, 1) : 0,
    legacyBacklogUsd: roundTo(
      backlogHours * prices.compute.perHour +
        pregenerated / 1e6 * prices.classA.perMillion,
      2,
    ),
    pregenerated,
    neverRequested: Math.max(0, pregenerated - usage.variantsOfFive),
    storageAvoidedBytes: Math.round(pregenerated * perVariant.bytes),
  };
}

/** The sum of a bill, not rounded. */
export function sumLines(lines: CostLines): number {
  return Object.values(lines).reduce((sum, usd) => sum + usd, 0);
}

/** Flows as of a month, and everything by the factor. */
function scaleUsage(measured: MeasuredUsage, factor: number): MeasuredUsage {
  const perMonth = factor * MONTH_DAYS / measured.days;
  return {
    days: MONTH_DAYS,
    assets: measured.assets * factor,
    standardBytes: measured.standardBytes * factor,
    infrequentBytes: measured.infrequentBytes * factor,
    archiveBytes: measured.archiveBytes * factor,
    variants: measured.variants * factor,
    variantBytes: measured.variantBytes * factor,
    variantsOfFive: measured.variantsOfFive * factor,
    newAssets: measured.newAssets * perMonth,
    variantRequests: measured.variantRequests * perMonth,
    memoryHits: measured.memoryHits * perMonth,
    kvHits: measured.kvHits * perMonth,
    misses: measured.misses * perMonth,
    notModified: measured.notModified * perMonth,
    originalRequests: measured.originalRequests * perMonth,
    renders: measured.renders * perMonth,
    egressBytes: measured.egressBytes * perMonth,
    computeMs: measured.computeMs * perMonth,
  };
}

interface VariantEstimate {
  readonly bytes: number;
  readonly renderMs: number;
}

/** Size and compute time of a variant: as measured, else as assumed. */
function estimateVariant(usage: MeasuredUsage, assumptions: CostAssumptions): VariantEstimate {
  const rawBytes = usage.standardBytes + usage.infrequentBytes + usage.archiveBytes;
  const assumedBytes = usage.assets > 0
    ? rawBytes / usage.assets * assumptions.variantSizeShare
    : 0;
  return {
    bytes: usage.variants > 0 ? usage.variantBytes / usage.variants : assumedBytes,
    renderMs: usage.renders > 0 ? usage.computeMs / usage.renders : assumptions.renderMs,
  };
}

interface Estimates {
  readonly assumptions: CostAssumptions;
  readonly perVariant: VariantEstimate;
}

function priceOnDemand(
  usage: MeasuredUsage,
  prices: PriceProfile,
  { assumptions, perVariant }: Estimates,
): CostLines {
  const { kvReadUnitBytes, kvWriteUnitBytes } = assumptions;
  // Looking in vain costs a unit too.
  const kvReads = usage.misses + usage.kvHits * Math.ceil(perVariant.bytes / kvReadUnitBytes);
  const kvWrites = usage.renders * Math.ceil(perVariant.bytes / kvWriteUnitBytes);
  // An upload is one write and one look; a render and an original are one read each.
  const classB = usage.newAssets + usage.renders + usage.originalRequests;
  return {
    base: prices.baseUsd,
    storage: priceStorage(usage, prices, 0),
    operations: priceMetered(usage.newAssets, prices.classA) + priceMetered(classB, prices.classB),
    requests: priceMetered(countRequests(usage), prices.requests),
    compute: priceCompute(usage.computeMs, prices),
    cache: priceMetered(kvReads, prices.kvReads) + priceMetered(kvWrites, prices.kvWrites) +
      usage.variantBytes / prices.gbBytes * prices.kvStoragePerGb,
    egress: priceEgress(usage, prices),
    database: priceDatabase(usage.assets * assumptions.assetRowBytes, prices),
  };
}

/** The same originals, requests and bytes; but every variant is made, kept and catalogued. */
function pricePregenerated(
  usage: MeasuredUsage,
  prices: PriceProfile,
  { assumptions, perVariant }: Estimates,
): CostLines {
  const made = usage.newAssets * PREGENERATED_VARIANTS;
  const kept = usage.assets * PREGENERATED_VARIANTS;
  const requests = countRequests(usage);
  const rowBytes = usage.assets * assumptions.assetRowBytes + kept * assumptions.variantRowBytes;
  return {
    base: prices.baseUsd,
    storage: priceStorage(usage, prices, kept * perVariant.bytes),
    operations: priceMetered(usage.newAssets + made, prices.classA) +
      priceMetered(usage.newAssets + requests, prices.classB),
    requests: priceMetered(requests, prices.requests),
    compute: priceCompute(made * perVariant.renderMs, prices),
    cache: 0,
    egress: priceEgress(usage, prices),
    database: priceDatabase(rowBytes, prices),
  };
}

function countRequests(usage: MeasuredUsage): number {
  return usage.variantRequests + usage.originalRequests;
}

function priceMetered(amount: number, { perMillion, included }: Metered): number {
  return Math.max(0, amount - included) / 1e6 * perMillion;
}

function priceStorage(usage: MeasuredUsage, prices: PriceProfile, variantBytes: number): number {
  const { storage, gbBytes } = prices;
  const standardGb = (usage.standardBytes + variantBytes) / gbBytes;
  return Math.max(0, standardGb - storage.includedGb) * storage.standardPerGb +
    usage.infrequentBytes / gbBytes * storage.infrequentPerGb +
    usage.archiveBytes / gbBytes * storage.archivePerGb;
}

function priceCompute(ms: number, { compute }: PriceProfile): number {
  return Math.max(0, ms / 3_600_000 - compute.includedHours) * compute.perHour;
}

function priceEgress(usage: MeasuredUsage, { egress, gbBytes }: PriceProfile): number {
  return Math.max(0, usage.egressBytes / gbBytes - egress.includedGb) * egress.perGb;
}

function priceDatabase(bytes: number, { database, gbBytes }: PriceProfile): number {
  return database.perMonth + bytes / gbBytes * database.perGb;
}
