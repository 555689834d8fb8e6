import assert from "node:assert/strict";
import {
  calculatePaybackMonths,
  calculateReferenceCost,
  roundTo,
} from "../../../src/core/reference_cost.ts";

const GIB = 2 ** 30;

Deno.test("calculateReferenceCost() matches the published formula, by hand, to the cent", () => {
  // 1000 GiB: current = 12 + 0.84 × 0.50 + 350 × 0.01 = 15.92; legacy = 115 + 4.20 = 119.20.
  assert.deepEqual(calculateReferenceCost({ rawBytes: 1000 * GIB }), {
    currentUsd: 15.92,
    legacyUsd: 119.2,
    savingsUsd: 103.28,
    roiPercent: 86.6,
    breakEvenMonths: 0.2,
  });
});

Deno.test("calculateReferenceCost() takes counted requests and misses where there are any", () => {
  // 100 GiB, 10 M requests, 3 M misses: 1.20 + 1.50 + 0.35 = 3.05; 11.50 + 20 = 31.50.
  assert.deepEqual(
    calculateReferenceCost({ rawBytes: 100 * GIB, requests: 10_000_000, misses: 3_000_000 }),
    {
      currentUsd: 3.05,
      legacyUsd: 31.5,
      savingsUsd: 28.45,
      roiPercent: 90.3,
      breakEvenMonths: 0.1,
    },
  );
});

Deno.test("calculateReferenceCost() breaks even never when nothing is saved", () => {
  const nothing = calculateReferenceCost({ rawBytes: 0, requests: 0 });
  assert.equal(nothing.breakEvenMonths, Infinity);
  assert.equal(nothing.roiPercent, 0);
  // 1 M requests that are all missed five times over cost more than they would have.
  const loss = calculateReferenceCost({ rawBytes: 0, requests: 1_000_000, misses: 5_000_000 });
  assert.deepEqual([loss.savingsUsd, loss.breakEvenMonths], [-0.5, Infinity]);
});

Deno.test("calculatePaybackMonths() divides the cost of migrating by the monthly savings", () => {
  assert.equal(calculatePaybackMonths(18_000, 4_440), 4.1);
  assert.equal(calculatePaybackMonths(18_000, 0), Infinity);
});

Deno.test("roundTo() rounds halves away from zero, where doubles fall below them too", () => {
  assert.deepEqual([1.005, -1.005, 2.675, 0.1, 1e-9].map((value) => roundTo(value, 2)), [
    1.01,
    -1.01,
    2.68,
    0.1,
    0,
  ]);
});
