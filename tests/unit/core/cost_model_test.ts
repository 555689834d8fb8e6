import assert from "node:assert/strict";
import {
  compareCosts,
  DEFAULT_ASSUMPTIONS,
  type MeasuredUsage,
  type PriceProfile,
} from "../../../src/core/cost_model.ts";

const FREE = { perMillion: 0, included: 0 };

/** Round prices, so that everything can be computed by hand. */
const PRICES: PriceProfile = {
  name: "round",
  asOf: "2026-01-01",
  sources: ["here"],
  notes: [],
  gbBytes: 1e9,
  baseUsd: 10,
  storage: { standardPerGb: 0.02, infrequentPerGb: 0.01, archivePerGb: 0.005, includedGb: 100 },
  classA: { perMillion: 5, included: 0 },
  classB: { perMillion: 1, included: 0 },
  requests: { perMillion: 2, included: 1_000_000 },
  kvReads: { perMillion: 1, included: 0 },
  kvWrites: { perMillion: 3, included: 0 },
  kvStoragePerGb: 1,
  egress: { perGb: 0.1, includedGb: 50 },
  compute: { perHour: 0.5, includedHours: 0 },
  database: { perMonth: 5, perGb: 1 },
};

/** 15 days of a million assets of 1 MB, with variants of 50 kB that took 72 ms each. */
const USAGE: MeasuredUsage = {
  days: 15,
  assets: 1_000_000,
  newAssets: 50_000,
  standardBytes: 800e9,
  infrequentBytes: 100e9,
  archiveBytes: 100e9,
  variantRequests: 2_000_000,
  memoryHits: 900_000,
  kvHits: 600_000,
  misses: 500_000,
  notModified: 0,
  originalRequests: 0,
  renders: 500_000,
  egressBytes: 100e9,
  computeMs: 500_000 * 72,
  variants: 400_000,
  variantBytes: 400_000 * 50_000,
  variantsOfFive: 380_000,
};

Deno.test("compareCosts() prices a month, line by line, by hand", () => {
  const { current, currentUsd } = compareCosts(USAGE, PRICES);
  // All flows twice, as of 30 days.
  assert.equal(current.base, 10);
  // (800 − 100) × 0.02 + 100 × 0.01 + 100 × 0.005
  assert.equal(round(current.storage), 15.5);
  // 0.1 M × 5 + (0.1 M + 1 M renders) × 1
  assert.equal(round(current.operations), 1.6);
  // (4 M − 1 M) × 2
  assert.equal(round(current.requests), 6);
  // 1 M × 72 ms = 20 h × 0.5
  assert.equal(round(current.compute), 10);
  // 50 kB are 13 units to read and 49 to write: 1 M × 1 + 1.2 M × 13, 1 M × 49 × 3, 20 GB × 1
  assert.equal(round(current.cache), 16.6 + 147 + 20);
  // (200 − 50) × 0.1
  assert.equal(round(current.egress), 15);
  // 5 + 1 M × 1200 bytes
  assert.equal(round(current.database), 6.2);
  assert.equal(currentUsd, round(10 + 15.5 + 1.6 + 6 + 10 + 183.6 + 15 + 6.2));
});

Deno.test("compareCosts() prices five variants of everything, by hand", () => {
  const result = compareCosts(USAGE, PRICES);
  const { legacy } = result;
  // 5 M variants × 50 kB = 250 GB more
  assert.equal(round(legacy.storage), 15.5 + 5);
  // (0.1 M + 0.5 M) × 5 + (0.1 M + 4 M) × 1
  assert.equal(round(legacy.operations), 7.1);
  // 0.5 M × 72 ms = 10 h
  assert.equal(round(legacy.compute), 5);
  // 5 + 1.2 + 5 M × 400 bytes
  assert.equal(round(legacy.database), 8.2);
  assert.equal(legacy.cache, 0);
  assert.equal(legacy.egress, 15);
  assert.equal(result.legacyUsd, 10 + 20.5 + 7.1 + 6 + 5 + 15 + 8.2);
  assert.equal(result.savingsUsd, round(result.legacyUsd - result.currentUsd));
  assert.equal(result.pregenerated, 5_000_000);
  assert.equal(result.neverRequested, 4_620_000);
  assert.equal(result.storageAvoidedBytes, 250e9);
  // 5 M × 72 ms = 100 h × 0.5, and 5 M writes
  assert.equal(result.legacyBacklogUsd, 75);
});

Deno.test("compareCosts() projects what is not linear: plans and what they include", () => {
  const { current } = compareCosts(USAGE, PRICES, { factor: 10 });
  assert.equal(current.base, 10);
  assert.equal(round(current.storage), (8_000 - 100) * 0.02 + 10 + 5);
  assert.equal(round(current.requests), (40 - 1) * 2);
  assert.equal(round(current.egress), (2_000 - 50) * 0.1);
  assert.equal(round(current.compute), 100);
});

Deno.test("compareCosts() assumes what was not measured, and survives nothing at all", () => {
  const unmeasured = { ...USAGE, variants: 0, variantBytes: 0, renders: 0, computeMs: 0 };
  const { legacy } = compareCosts(unmeasured, PRICES);
  // A tenth of 1 MB each: 500 GB more.
  assert.equal(round(legacy.storage), 15.5 + 10);
  const hours = 100_000 * 5 * DEFAULT_ASSUMPTIONS.renderMs / 3_600_000;
  assert.equal(round(legacy.compute), round(hours * 0.5));
  const zero = Object.fromEntries(Object.keys(USAGE).map((name) => [name, 0]));
  const nothing = { ...zero, days: 1 } as unknown as MeasuredUsage;
  const free = { ...PRICES, baseUsd: 0, requests: FREE, database: { perMonth: 0, perGb: 0 } };
  const result = compareCosts(nothing, free);
  assert.deepEqual([result.currentUsd, result.legacyUsd, result.savingsPercent], [0, 0, 0]);
});

function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
