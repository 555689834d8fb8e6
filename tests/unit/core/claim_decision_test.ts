import assert from "node:assert/strict";
import { ASSET_STATES, type AssetState, canTransition } from "../../../src/core/asset_state.ts";
import { type ClaimedRow, decideClaim } from "../../../src/core/claim_decision.ts";

const ME = "me";

function row(state: AssetState, more: Partial<ClaimedRow> = {}): ClaimedRow {
  return { state, flagged: false, attemptId: "another", leaseLeftMs: 0, ...more };
}

Deno.test("decideClaim() makes a row where there is none", () => {
  assert.deepEqual(decideClaim(null, ME), { action: "insert" });
});

Deno.test("decideClaim() refers to stored bytes, but not to flagged ones", () => {
  assert.equal(decideClaim(row("READY"), ME).action, "refer");
  assert.equal(decideClaim(row("ARCHIVED"), ME).action, "refer");
  assert.equal(decideClaim(row("READY", { flagged: true }), ME).action, "reopen");
});

Deno.test("decideClaim() waits for whoever holds a lease", () => {
  for (const state of ["UPLOADING", "VERIFIED", "DELETED"] as const) {
    assert.deepEqual(decideClaim(row(state, { leaseLeftMs: 70 }), ME), {
      action: "wait",
      leaseLeftMs: 70,
    });
  }
});

Deno.test("decideClaim() knows its own row again after a lost answer", () => {
  const own = row("UPLOADING", { attemptId: ME, leaseLeftMs: 70 });
  assert.equal(decideClaim(own, ME).action, "resume");
});

Deno.test("decideClaim() reopens everything else, along allowed transitions only", () => {
  for (const state of ASSET_STATES) {
    const decision = decideClaim(row(state, { flagged: true }), ME);
    assert.ok(decision.action === "reopen", state);
    assert.equal(decision.path.at(-1), "UPLOADING");
    let from = state;
    for (const to of decision.path) {
      assert.ok(canTransition(from, to), `${from} → ${to}`);
      from = to;
    }
  }
});
