import assert from "node:assert/strict";
import { createDiskObjectStore } from "../../../src/adapters/disk/disk_object_store.ts";
import { createDatabase } from "../../../src/adapters/postgres/database.ts";
import { assertInvariants } from "../../support/invariants.ts";
import { startPgBouncer } from "../../support/pgbouncer.ts";
import { startPostgresCluster } from "../../support/postgres_cluster.ts";
import { openOnServer } from "../../support/test_database.ts";
import {
  bodyOf,
  createUploadInstance,
  expireLeases,
  MIB,
  randomFile,
  requestOf,
} from "../../support/upload_world.ts";

Deno.test("Ingest.ingest() and Sweep.run() work through PgBouncer in transaction mode", async () => {
  const cluster = await startPostgresCluster();
  if (cluster === null) return;
  const testDatabase = await openOnServer(cluster.url);
  const name = new URL(testDatabase.url).pathname.slice(1);
  // Fewer server connections than clients, so that statements wander between sessions.
  const bouncer = await startPgBouncer(cluster, { database: name, poolSize: 2 });
  const root = await Deno.makeTempDir({ prefix: "facet-bouncer-" });
  if (bouncer !== null) {
    const database = createDatabase({ url: bouncer.url, poolSize: 5 });
    const objects = createDiskObjectStore({ root });
    const { ingest, sweep, reports } = createUploadInstance(database, { objects });
    const same = randomFile(10_000);
    const files = [
      ...Array.from({ length: 39 }, (_, i) => i % 2 ? same : randomFile(10_000)),
      randomFile(6 * MIB),
    ];
    const results = await Promise.all(
      files.map((bytes) => ingest.ingest(bodyOf(bytes), requestOf())),
    );
    assert.ok(results.every(({ asset }) => asset.state === "READY"));
    assert.equal(results.filter(({ created }) => created).length, 22);
    await expireLeases(database);
    assert.equal((await sweep.run()).errors, 0);
    assert.deepEqual(reports, []);
    await assertInvariants({ database, objects });
    await database.close();
    await bouncer.close();
  }
  await testDatabase.close();
  await cluster.close();
  await Deno.remove(root, { recursive: true });
});
