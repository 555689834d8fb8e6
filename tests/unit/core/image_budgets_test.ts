import assert from "node:assert/strict";
import { checkImageBudgets } from "../../../src/core/image_budgets.ts";
import { hasCode } from "../../../src/errors.ts";

const facts = { format: "png" as const, width: 100, height: 100, frames: 1 };

Deno.test("checkImageBudgets() passes images up to and at each limit", () => {
  const limits = { maxPixels: 10_000, maxSidePixels: 100, maxFrames: 1 };
  checkImageBudgets(facts, limits);
  checkImageBudgets({ ...facts, width: 10_000, height: 5_000 });
});

Deno.test("checkImageBudgets() refuses pixels, sides and frames over their limits by name", () => {
  const over = (change: Partial<typeof facts>, code: "image_too_large" | "image_budget_exceeded") =>
    assert.throws(() => checkImageBudgets({ ...facts, ...change }), (e) => hasCode(e, code));
  over({ width: 7_072, height: 7_072 }, "image_too_large");
  over({ width: 300_000, height: 10 }, "image_too_large");
  over({ width: 0x7fffffff, height: 0x7fffffff }, "image_too_large");
  over({ frames: 10_001 }, "image_budget_exceeded");
});

Deno.test("checkImageBudgets() holds an SVG to its sides only", () => {
  const svg = { format: "svg" as const, width: 20_000, height: 20_000, frames: 1 };
  checkImageBudgets(svg);
  assert.throws(
    () => checkImageBudgets({ ...svg, width: 1e9 }),
    (e) => hasCode(e, "image_too_large"),
  );
});
