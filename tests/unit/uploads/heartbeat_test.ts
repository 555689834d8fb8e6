import assert from "node:assert/strict";
import { hasCode } from "../../../src/errors.ts";
import { pause } from "../../../src/uploads/catalog_retry.ts";
import { startHeartbeat } from "../../../src/uploads/heartbeat.ts";

Deno.test("startHeartbeat() renews until disposed", async () => {
  let beats = 0;
  const heart = startHeartbeat(() => Promise.resolve(++beats > 0), {
    leaseMs: 120,
    lossDetail: "lost",
  });
  await pause(400);
  heart[Symbol.dispose]();
  const after = beats;
  assert.ok(after >= 3, `${after} beats`);
  assert.equal(heart.signal.aborted, false);
  await pause(120);
  assert.equal(beats, after);
});

Deno.test("startHeartbeat() aborts at once when another has the lease", async () => {
  using heart = startHeartbeat(() => Promise.resolve(false), { leaseMs: 60, lossDetail: "taken" });
  await pause(200);
  assert.ok(heart.signal.aborted);
  assert.ok(heart.lost);
  assert.ok(hasCode(heart.signal.reason, "state_conflict"));
});

Deno.test("startHeartbeat() aborts when nobody could be asked for the length of the lease", async () => {
  const down = new Error("down");
  using heart = startHeartbeat(() => Promise.reject(down), { leaseMs: 600, lossDetail: "taken" });
  await pause(300);
  assert.equal(heart.signal.aborted, false, "one failed beat is not the end");
  await pause(700);
  assert.ok(heart.signal.aborted);
  assert.equal(heart.lost, false);
  assert.ok(hasCode(heart.signal.reason, "catalog_unavailable"));
});

Deno.test("startHeartbeat() aborts in time though an answer never comes", async () => {
  using heart = startHeartbeat(() => new Promise(() => {}), { leaseMs: 60, lossDetail: "taken" });
  await pause(300);
  assert.ok(heart.signal.aborted);
});
