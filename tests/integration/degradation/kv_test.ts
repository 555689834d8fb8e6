/** The shared cache stuck or out of reach, under a running service. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { assertWarm, withDegradation } from "../../support/degradation_world.ts";
import { findFreePort } from "../../support/postgres_cluster.ts";

Deno.test("with a shared cache that takes no writes everything is answered, and it is used again", async () => {
  await withDegradation(async (world) => {
    const file = new DatabaseSync(world.kvPath);
    file.exec("pragma busy_timeout = 5000");
    file.exec("begin immediate");
    try {
      await assertWarm(world);
      const cold = await world.get(world.nextColdPath());
      assert.equal(cold.status, 200, cold.text);
      assert.ok(cold.tookMs < 6_000, `a render took ${cold.tookMs.toFixed(0)} ms`);
      assert.equal((await world.upload()).status, 201);
    } finally {
      file.exec("rollback");
      file.close();
    }
    await world.expectRecovery();
  });
});

Deno.test("with a remote shared cache that is down the service starts, renders, and says so", async () => {
  await withDegradation(async (world) => {
    await assertWarm(world);
    const cold = await world.get(world.nextColdPath());
    assert.equal(cold.status, 200, cold.text);
    assert.ok(cold.tookMs < 6_000, `a render took ${cold.tookMs.toFixed(0)} ms`);
    assert.deepEqual(await world.readiness(), { status: 200, down: ["kv down"] });
  }, { DENO_KV_URL: `http://127.0.0.1:${findFreePort()}`, DENO_KV_ACCESS_TOKEN: "token" });
});
