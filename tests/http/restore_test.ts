import assert from "node:assert/strict";
import { createArchiveCatalog } from "../../src/adapters/postgres/archive_catalog.ts";
import { createHttpApp } from "../../src/http/app.ts";
import { restoreRoutes } from "../../src/http/routes/restore.ts";
import type { Principal } from "../../src/core/principal.ts";
import { createRestoreService } from "../../src/lifecycle/restore_service.ts";
import { SILENT_LOGGER } from "../../src/telemetry/logger.ts";
import { openReconcileWorld } from "../support/reconcile_world.ts";

Deno.test("POST /v1/assets/{id}/restore answers 202 while the archive thaws, then 200", async () => {
  await using world = await openReconcileWorld();
  const hash = await world.addRow("cold", { state: "ARCHIVED", storageClass: "archive" });
  await world.addObject("cold");
  const assetId = crypto.randomUUID();
  await world.database.write((sql) =>
    sql`
      insert into asset_reference (id, tenant, content_hash)
      values (${assetId}, 'acme', decode(${hash}, 'hex'))`
  );
  let ongoing = true;
  const app = createHttpApp({
    routes: [
      restoreRoutes({
        authenticator: {
          authenticate: (key) =>
            Promise.resolve(
              { keyId: key, tenant: key, scopes: new Set(["upload"]) } as unknown as Principal,
            ),
        },
        restores: createRestoreService({
          catalog: createArchiveCatalog(world.database),
          objects: {
            ...world.objects,
            restore: () => Promise.resolve({ ongoing, expiresAt: null }),
          },
          reportFailure: () => {},
          onRestored: () => {},
        }),
      }),
    ],
    logger: SILENT_LOGGER,
    newId: () => crypto.randomUUID(),
    nowMs: () => performance.now(),
    accessLog: undefined,
  });
  const post = (id: string, key = "acme") =>
    app.request(`/v1/assets/${id}/restore`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
    });
  assert.equal((await post(assetId, "other")).status, 404);
  assert.equal((await post("x")).status, 400);
  const [pending, again] = [await post(assetId), await post(assetId)];
  for (const response of [pending, again]) {
    assert.equal(response.status, 202);
    assert.equal(response.headers.get("retry-after"), "300");
    const { state, restoring, contentHash } = await response.json();
    assert.deepEqual([state, restoring, contentHash], ["ARCHIVED", true, hash]);
  }
  ongoing = false;
  const done = await post(assetId);
  assert.equal(done.status, 200);
  assert.equal((await done.json()).state, "READY");
  assert.equal((await post(assetId)).status, 200);
  await world.database.write((sql) => sql`update asset_portfolio set state = 'DELETED'`);
  assert.equal((await post(assetId)).status, 410);
  assert.equal((await app.request(`/v1/assets/${assetId}/restore`)).status, 405);
});
