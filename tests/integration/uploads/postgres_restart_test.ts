import assert from "node:assert/strict";
import { createDiskObjectStore } from "../../../src/adapters/disk/disk_object_store.ts";
import { hasCode } from "../../../src/errors.ts";
import type { IngestStep } from "../../../src/uploads/ports.ts";
import { pause } from "../../../src/uploads/catalog_retry.ts";
import { assertInvariants } from "../../support/invariants.ts";
import { startPostgresCluster } from "../../support/postgres_cluster.ts";
import { openOnServer } from "../../support/test_database.ts";
import {
  bodyOf,
  createUploadInstance,
  expireLeases,
  MIB,
  randomFile,
  requestOf,
  sha256Of,
} from "../../support/upload_world.ts";

/** Longer than every wait inside an upload together. */
const PATIENCE_MS = 40_000;

Deno.test("uploads under way while Postgres", async (t) => {
  const cluster = await startPostgresCluster();
  if (cluster === null) return;
  const testDatabase = await openOnServer(cluster.url, { connectTimeoutMs: 2_000 });
  const { database } = testDatabase;
  const root = await Deno.makeTempDir({ prefix: "facet-restart-" });
  const objects = createDiskObjectStore({ root });
  const steady = createUploadInstance(database, { objects });

  async function checkAfterwards(files: readonly Uint8Array[]): Promise<void> {
    await expireLeases(database);
    assert.equal((await steady.sweep.run()).errors, 0);
    await assertInvariants({ database, objects });
    for (const bytes of files) {
      const { asset } = await steady.ingest.ingest(bodyOf(bytes), requestOf());
      assert.equal(asset.state, "READY");
    }
    await assertInvariants({ database, objects }, {
      acknowledged: files.map((bytes) => ({ tenant: "acme", hash: sha256Of(bytes) })),
    });
  }

  const steps: IngestStep[] = [
    "body_received",
    "claimed",
    "object_stored",
    "verified",
    "facts_read",
  ];
  for (const at of steps) {
    await t.step(`crashes and restarts after "${at}" succeed`, async () => {
      let restarted = false;
      const instance = createUploadInstance(database, {
        objects,
        async onStep(step) {
          if (step !== at || restarted) return;
          restarted = true;
          await cluster.stop("immediate");
          await cluster.start();
        },
      });
      const bytes = randomFile(20_000);
      const { created, asset } = await instance.ingest.ingest(bodyOf(bytes), requestOf());
      assert.deepEqual([created, asset.state, restarted], [true, "READY", true]);
      await checkAfterwards([bytes]);
    });
  }

  await t.step("crashes in the middle of many succeed or fail cleanly, in time", async () => {
    const files = Array.from({ length: 24 }, (_, i) => randomFile(i % 8 ? 30_000 : 6 * MIB));
    const startedAt = performance.now();
    const uploads = files.map(async (bytes, i) => {
      await pause(i * 15);
      return await steady.ingest.ingest(bodyOf(bytes), requestOf());
    });
    const settled = Promise.allSettled(uploads);
    await pause(120);
    await cluster.stop("immediate");
    await pause(300);
    await cluster.start();
    for (const result of await settled) {
      if (result.status === "rejected") assert.ok(hasCode(result.reason, "catalog_unavailable"));
    }
    assert.ok(performance.now() - startedAt < PATIENCE_MS);
    await checkAfterwards(files);
  });

  await t.step("stays down fail with catalog_unavailable instead of hanging", async () => {
    const files = [randomFile(30_000), randomFile(6 * MIB)];
    await cluster.stop("immediate");
    const startedAt = performance.now();
    for (
      const result of await Promise.allSettled(
        files.map((bytes) => steady.ingest.ingest(bodyOf(bytes), requestOf())),
      )
    ) {
      assert.ok(result.status === "rejected" && hasCode(result.reason, "catalog_unavailable"));
    }
    assert.ok(performance.now() - startedAt < PATIENCE_MS);
    await cluster.start();
    await checkAfterwards(files);
  });

  await testDatabase.close();
  await cluster.close();
  await Deno.remove(root, { recursive: true });
});
