import assert from "node:assert/strict";
import { createDatabase } from "../../../src/adapters/postgres/database.ts";
import { readKeys, readRows } from "../../support/invariants.ts";
import { requireRealPostgres } from "../../support/test_database.ts";
import {
  bodyOf,
  createUploadInstance,
  openUploadWorld,
  randomFile,
  requestOf,
  sha256Of,
} from "../../support/upload_world.ts";

const UPLOADS = 200;

Deno.test({
  name:
    "Ingest.ingest() answers 200 uploads at once, half of them the same bytes, on 5 connections",
  ignore: requireRealPostgres() === null,
  async fn() {
    await using world = await openUploadWorld();
    const same = randomFile(50_000);
    const files = Array.from({ length: UPLOADS }, (_, i) => i % 2 ? same : randomFile(20_000));
    const results = await Promise.all(
      files.map((bytes, i) => world.ingest.ingest(bodyOf(bytes), requestOf({ fileName: `${i}` }))),
    );
    results.forEach(({ asset }, i) => {
      assert.equal(asset.contentHash, sha256Of(files[i]));
      assert.equal(asset.sizeBytes, files[i].length);
      assert.equal(asset.state, "READY");
    });
    assert.equal(results.filter(({ created }) => created).length, UPLOADS / 2 + 1);
    assert.equal(world.faults.calls.put, UPLOADS / 2 + 1);
    assert.equal((await readKeys(world.objects, "raw/")).length, UPLOADS / 2 + 1);
    assert.equal((await readRows(world.database)).length, UPLOADS / 2 + 1);
    assert.equal(await countDeadlocks(world.database), 0);
    assert.deepEqual(world.reports, []);
    await world.assertInvariants({
      acknowledged: files.map((bytes) => ({ tenant: "acme", hash: sha256Of(bytes) })),
    });
  },
});

Deno.test({
  name: "Ingest.ingest() makes one object for each hash when two instances race for all of them",
  ignore: requireRealPostgres() === null,
  async fn() {
    await using world = await openUploadWorld();
    const second = createDatabase({ url: world.testDatabase.url, poolSize: 5 });
    try {
      const other = createUploadInstance(second, { objects: world.faults.objects });
      const files = Array.from({ length: 30 }, () => randomFile(10_000));
      const results = await Promise.all(
        files.flatMap((bytes) =>
          [world, other].map(({ ingest }) => ingest.ingest(bodyOf(bytes), requestOf()))
        ),
      );
      assert.equal(results.filter(({ created }) => created).length, files.length);
      assert.equal(world.faults.calls.put, files.length);
      await world.assertInvariants();
    } finally {
      await second.close();
    }
  },
});

async function countDeadlocks(database: Parameters<typeof readRows>[0]): Promise<number> {
  const [{ deadlocks }] = await database.read((sql) =>
    sql<{ deadlocks: number }[]>`
      select deadlocks from pg_stat_database where datname = current_database()`
  );
  return deadlocks;
}
