import assert from "node:assert/strict";
import { createReconcileRecords } from "../../src/adapters/postgres/reconcile_records.ts";
import { createHttpApp } from "../../src/http/app.ts";
import { reconcileRoutes } from "../../src/http/routes/reconcile.ts";
import type { Principal } from "../../src/core/principal.ts";
import { SILENT_LOGGER } from "../../src/telemetry/logger.ts";
import { openReconcileWorld } from "../support/reconcile_world.ts";

const ADMIN = { authorization: "Bearer admin" };

const authenticator = {
  authenticate: (key: string) =>
    Promise.resolve({ keyId: key, tenant: "a", scopes: new Set([key]) } as unknown as Principal),
};

Deno.test("POST /v1/admin/reconcile starts a run that GET tells about", async () => {
  await using world = await openReconcileWorld();
  await world.addRow("gone");
  const reconciler = world.create();
  const app = createHttpApp({
    routes: [
      reconcileRoutes({
        reconciler,
        records: createReconcileRecords(world.database),
        authenticator,
        reportFailure: (error) => assert.fail(String(error)),
      }),
    ],
    logger: SILENT_LOGGER,
    newId: () => crypto.randomUUID(),
    nowMs: () => performance.now(),
    accessLog: undefined,
  });
  const post = (body: unknown, headers: Record<string, string> = ADMIN) =>
    app.request("/v1/admin/reconcile", { method: "POST", headers, body: JSON.stringify(body) });

  assert.equal((await post({}, {})).status, 401);
  assert.equal((await post({}, { authorization: "Bearer read" })).status, 403);
  for (const bad of [{ dryRun: 1 }, { shard: "raw/" }, { shard: 7 }, { repairs: true }]) {
    assert.equal((await post(bad)).status, 400, JSON.stringify(bad));
  }
  assert.equal((await app.request("/v1/admin/reconcile", { headers: ADMIN })).status, 405);

  const started = await post({ shard: "raw/07/" });
  // An empty stream is what a server makes of a request without a body.
  const bare = { method: "POST", headers: ADMIN, body: "" };
  const refused = await app.request("/v1/admin/reconcile", bare);
  assert.equal(started.status, 202);
  const { runId, firstShard, dryRun } = await started.json();
  assert.deepEqual([firstShard, dryRun], [7, false]);
  assert.equal(refused.status, 409);
  assert.equal((await refused.json()).code, "state_conflict");

  const path = started.headers.get("location")!;
  assert.equal(path, `/v1/admin/reconcile/${runId}`);
  let run = await (await app.request(path, { headers: ADMIN })).json();
  while (run.status === "running") {
    await new Promise((resolve) => setTimeout(resolve, 20));
    run = await (await app.request(path, { headers: ADMIN })).json();
  }
  assert.equal(run.status, "finished");
  assert.deepEqual([run.mismatchCount, run.driftRatio, run.counts.acted.missing], [1, 1, 1]);
  assert.equal(run.findings[0].action, "MISSING");
  const unknown = await app.request(`/v1/admin/reconcile/${crypto.randomUUID()}`, {
    headers: ADMIN,
  });
  assert.equal(unknown.status, 404);
  assert.equal((await app.request("/v1/admin/reconcile/x", { headers: ADMIN })).status, 400);
});
