/** The object store down, failing, slow and short of bytes, under a running service. */
import assert from "node:assert/strict";
import { assertRefused, assertWarm, withDegradation } from "../../support/degradation_world.ts";
import type { Fault } from "../../support/http_fault_proxy.ts";

const WHOLESALE: readonly (readonly [name: string, fault: Fault])[] = [
  ["down", { kind: "reset" }],
  ["answering 500", { kind: "answer", status: 500 }],
  ["answering 503", { kind: "answer", status: 503, headers: { "retry-after": "1" } }],
  ["silent", { kind: "hang" }],
];

for (const [name, fault] of WHOLESALE) {
  Deno.test(`with a store that is ${name} what is cached is served and the rest is 503`, async () => {
    await withDegradation(async (world) => {
      world.storage.inject(fault, { times: 1_000_000 });
      await assertWarm(world);
      assertRefused(await world.get(world.nextColdPath()));
      assertRefused(await world.upload());
      assert.deepEqual(await world.readiness(), { status: 503, down: ["storage down"] });
      await assertWarm(world);
      world.storage.heal();
      await world.expectRecovery();
    });
  });
}

Deno.test("bodies that end early or stall never become variants, and the next try succeeds", async () => {
  await withDegradation(async (world) => {
    for (const kind of ["cutBody", "stallBody"] as const) {
      const path = world.nextColdPath();
      world.storage.inject({ kind, afterBytes: 20 }, { method: "GET", times: 1_000_000 });
      const reply = await world.get(path);
      assert.ok([502, 503, 504].includes(reply.status), `${kind}: ${reply.status}`);
      assert.ok(reply.tookMs < 20_000, `${kind}: ${reply.tookMs}`);
      await assertWarm(world);
      world.storage.heal();
      const next = await world.get(path);
      assert.deepEqual([next.status, next.cache], [200, "MISS"], next.text);
    }
    await world.expectRecovery();
  });
});
