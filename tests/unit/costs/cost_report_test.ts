import assert from "node:assert/strict";
import { buildCostReport } from "../../../src/costs/cost_report.ts";
import { formatReportCsv, formatReportText } from "../../../src/costs/format_report.ts";
import type { UsageReading } from "../../../src/costs/ports.ts";
import { parsePriceProfile, PRICE_PROFILES } from "../../../src/costs/price_profiles.ts";

const USAGE: UsageReading = {
  days: 30,
  assets: 1_000,
  newAssets: 10,
  standardBytes: 1_000 * 2 ** 30,
  infrequentBytes: 0,
  archiveBytes: 0,
  variantRequests: 1_000_000,
  memoryHits: 500_000,
  kvHits: 300_000,
  misses: 200_000,
  notModified: 0,
  originalRequests: 0,
  renders: 200_000,
  egressBytes: 40e9,
  computeMs: 16e6,
  variants: 900,
  variantBytes: 45e6,
  variantsOfFive: 900,
  counted: true,
  listing: null,
};

function report(usage: Partial<UsageReading> = {}, profile: keyof typeof PRICE_PROFILES = "r2") {
  return buildCostReport({ read: () => Promise.resolve({ ...USAGE, ...usage }) }, {
    days: 30,
    profile: PRICE_PROFILES[profile],
    migrationUsd: 18_000,
  });
}

Deno.test("buildCostReport() reproduces the published calculation where nothing was counted", async () => {
  const { reference } = await report({ counted: false }, "reference");
  // 1000 GiB: 12 + 0.84 × 0.50 + 350 × 0.01 = 15.92; 5000 × 0.023 + 2.1 × 2 = 119.20
  assert.deepEqual(reference, {
    currentUsd: 15.92,
    legacyUsd: 119.2,
    savingsUsd: 103.28,
    roiPercent: 86.6,
    breakEvenMonths: 0.2,
  });
});

Deno.test("buildCostReport() gives the published calculation what the ledger has counted", async () => {
  const { reference } = await report({ days: 15 }, "reference");
  // 2 M requests, 0.4 M misses a month: 12 + 0.20 + 3.50; 115 + 4
  assert.deepEqual([reference?.currentUsd, reference?.legacyUsd], [15.7, 119]);
  assert.equal((await report()).reference, null);
});

Deno.test("buildCostReport() tells hits, payback and projections", async () => {
  const { hitPercent, payback, comparison, projections } = await report();
  assert.equal(hitPercent, 80);
  assert.equal(payback?.months, Infinity);
  assert.ok(comparison.savingsUsd <= 0);
  assert.deepEqual(projections.map(({ factor }) => factor), [10, 100]);
  const none = await report({ memoryHits: 0, kvHits: 0, misses: 0 });
  assert.equal(none.hitPercent, null);
});

Deno.test("formatReportText() names what a finance person asks for", async () => {
  const text = formatReportText(await report({}, "reference"));
  for (
    const part of [
      "COST OF ONE MONTH",
      "Saved per month",
      "Variants nobody would have asked for",
      "100 × of everything",
      "ASSUMPTIONS",
      "not confirmed",
      "https://developers.cloudflare.com/r2/pricing/",
      "is no payback time",
      "█",
    ]
  ) assert.ok(text.includes(part), part);
  assert.ok(text.split("\n").every((line) => line.length <= 100));
  assert.match(text, /4,100 of 5,000/);
});

Deno.test("formatReportCsv() has one figure per line", async () => {
  const lines = formatReportCsv(await report()).split("\r\n");
  assert.equal(lines[0], "name,value,unit");
  assert.ok(lines.every((line) => line.split(",").length === 3));
  assert.ok(lines.includes("assets,1000,"));
});

Deno.test("parsePriceProfile() takes what a user wrote, and says what is wrong with it", () => {
  const mine = { name: "mine", asOf: "2026-05-01", sources: ["my contract"] };
  const profile = parsePriceProfile(JSON.stringify({ ...mine, classB: { perMillion: 0.3 } }));
  assert.deepEqual(profile.classB, { perMillion: 0.3, included: 10_000_000 });
  assert.equal(profile.name, "mine");
  const wrong: [unknown, RegExp][] = [
    [[], /JSON object/],
    [{ ...mine, asOf: "May" }, /asOf/],
    [{ ...mine, sources: [] }, /sources/],
    [{ ...mine, classB: { perMillion: -1 } }, /classB\.perMillion/],
    [{ ...mine, classC: { perMillion: 1 } }, /classC/],
    [{ ...mine, classB: { perBillion: 1 } }, /classB\.perBillion/],
    [{ ...mine, gbBytes: 1000 }, /gbBytes/],
    [{ ...mine, toString: 1 }, /toString/],
  ];
  for (const [given, message] of wrong) {
    assert.throws(() => parsePriceProfile(JSON.stringify(given)), message, JSON.stringify(given));
  }
});
