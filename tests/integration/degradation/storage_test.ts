/** The object store down, failing, slow and short of bytes, under a running service. */
import assert from "node:assert/strict";
import { assertRefused, assertWarm, withDegradation } from "../../support/degradation_world.ts";
import type { Fault } from "../../support/http_fault_proxy.ts";

const WHOLESALE: readonly (readonly [name: string, fault: Fault])[] = [
  ["down", { kind: "reset" }],
  ["answering 500", { kind: "answer", status: 500 }],
  ["answering 503", { kind: "answer", status: 503, headers: { "retry-after": "1" } }],
  ["silent", { kind: "hang" }],
  ["slow: no request ends in time", { kind: "delay", delayMs: 3_000 }],
];

const EVERY_CALL = { times: 1_000_000 };

Deno.test("whatever is wrong with the store, what is cached is served and the rest is 503 until it is well", async (t) => {
  await withDegradation(async (world) => {
    for (const [name, fault] of WHOLESALE) {
      await t.step(name, async () => {
        world.storage.inject(fault, EVERY_CALL);
        await assertWarm(world);
        assertRefused(await world.get(world.nextColdPath()));
        assertRefused(await world.upload());
        assert.deepEqual(await world.readiness(), { status: 503, down: ["storage down"] });
        await assertWarm(world);
        world.storage.heal();
        await world.expectRecovery();
      });
    }

    for (const kind of ["cutBody", "stallBody"] as const) {
      await t.step(`${kind}: no variant is made of it, and the next try succeeds`, async () => {
        const path = world.nextColdPath();
        world.storage.inject({ kind, afterBytes: 20 }, { method: "GET", ...EVERY_CALL });
        const reply = await world.get(path);
        assert.ok([502, 503, 504].includes(reply.status), `${kind}: ${reply.status}`);
        assert.ok(reply.tookMs < 20_000, `${kind}: ${reply.tookMs}`);
        await assertWarm(world);
        world.storage.heal();
        const next = await world.get(path);
        assert.deepEqual([next.status, next.cache], [200, "MISS"], next.text);
        await world.expectRecovery();
      });
    }
  });
});
