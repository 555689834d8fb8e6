/** The shared cache stuck, slow or out of reach, under running services. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import {
  assertWarm,
  type DegradationWorld,
  withDegradation,
} from "../../support/degradation_world.ts";
import { startFaultProxy } from "../../support/fault_proxy.ts";
import { startTinyKv } from "../../support/tiny_kv.ts";

/** Longest time that a small render may take when every use of the cache is given up. */
const RENDER_BOUND_MS = 6_000;
/** Longer than anybody waits for the cache. Milliseconds. */
const SLOW_MS = 3_000;

/** What holds while the shared cache is of no use. */
async function assertWithoutCache(world: DegradationWorld): Promise<void> {
  await assertWarm(world);
  const cold = await world.get(world.nextColdPath());
  assert.deepEqual([cold.status, cold.cache], [200, "MISS"], cold.text);
  assert.ok(cold.tookMs < RENDER_BOUND_MS, `a render took ${cold.tookMs.toFixed(0)} ms`);
  assert.equal((await world.upload()).status, 201);
  await assertWarm(world);
}

Deno.test("with a shared cache that takes no writes everything is answered, and it is used again", async () => {
  await withDegradation(async (world) => {
    const file = new DatabaseSync(world.kvPath);
    file.exec("pragma busy_timeout = 5000");
    file.exec("begin immediate");
    try {
      await assertWithoutCache(world);
    } finally {
      file.exec("rollback");
      file.close();
    }
    await world.expectRecovery();
  });
});

Deno.test("whatever is wrong with a remote shared cache, everything is answered, and it is used again", async (t) => {
  await using kv = startTinyKv();
  await using proxy = startFaultProxy(kv.port);
  proxy.setMode("refuse");
  await withDegradation(async (world) => {
    const isDown = { status: 200, down: ["kv down"] };

    /** What this instance renders is soon held by the cache again. */
    async function expectUse(): Promise<void> {
      await world.expectRecovery();
      for (const deadline = performance.now() + 60_000;;) {
        const before = kv.size;
        assert.equal((await world.get(world.nextColdPath())).status, 200);
        await new Promise((resolve) => setTimeout(resolve, 200));
        if (kv.size > before) return;
        assert.ok(performance.now() < deadline, "nothing is written to the shared cache");
      }
    }

    await t.step("down: the service has started all the same", async () => {
      await assertWithoutCache(world);
      assert.deepEqual(await world.readiness(), isDown);
      proxy.setMode("pass");
      await expectUse();
    });

    await t.step("gone: connections break, and new ones are refused", async () => {
      proxy.setMode("refuse");
      proxy.cutAll();
      await assertWithoutCache(world);
      assert.deepEqual(await world.readiness(), isDown);
      proxy.setMode("pass");
      await expectUse();
    });

    await t.step("slow: no answer comes in time", async () => {
      proxy.setDelay(SLOW_MS);
      await assertWithoutCache(world);
      assert.deepEqual(await world.readiness(), isDown);
      proxy.setDelay(0);
      await expectUse();
    });
  }, { DENO_KV_URL: `http://127.0.0.1:${proxy.port}`, DENO_KV_ACCESS_TOKEN: "token-for-tests" });
});
