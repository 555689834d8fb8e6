/** Archiving and restoring on a real database and a real folder. */
import assert from "node:assert/strict";
import { createArchiveCatalog } from "../../../src/adapters/postgres/archive_catalog.ts";
import { createJobLeases } from "../../../src/adapters/postgres/job_leases.ts";
import { formatRawKey } from "../../../src/core/object_keys.ts";
import type { ObjectStore } from "../../../src/core/object_store.ts";
import { hasCode } from "../../../src/errors.ts";
import { createArchiveJob } from "../../../src/lifecycle/archive_job.ts";
import { createRestoreService } from "../../../src/lifecycle/restore_service.ts";
import { openReconcileWorld, type ReconcileWorld } from "../../support/reconcile_world.ts";

function createJob(world: ReconcileWorld) {
  return createArchiveJob({
    catalog: createArchiveCatalog(world.database),
    objects: world.objects,
    leases: createJobLeases(world.database),
    newId: () => crypto.randomUUID(),
    coldClass: "archive",
    unusedDays: 180,
    reportFailure: (event, { error }) => assert.fail(`${event}: ${error}`),
  });
}

function createRestores(world: ReconcileWorld, objects: ObjectStore = world.objects) {
  return createRestoreService({
    catalog: createArchiveCatalog(world.database),
    objects,
    reportFailure: (event, { error }) => assert.fail(`${event}: ${error}`),
    onRestored: () => {},
  });
}

/** An asset of tenant `a` whose row is `days` old; returns the reference's id. */
async function addAsset(world: ReconcileWorld, label: string, days: number): Promise<string> {
  const hash = await world.addRow(label, { ageHours: days * 24 });
  await world.addObject(label);
  const id = crypto.randomUUID();
  await world.database.transaction(async (sql) => {
    await sql`
      update asset_portfolio set created_at = state_changed_at
      where content_hash = decode(${hash}, 'hex')`;
    await sql`
      insert into asset_reference (id, tenant, content_hash)
      values (${id}, 'a', decode(${hash}, 'hex'))`;
  });
  return id;
}

async function stateOf(world: ReconcileWorld, id: string) {
  const [row] = await world.database.read((sql) =>
    sql<{ hash: string; state: string }[]>`
      select encode(content_hash, 'hex') as hash, state
      from asset_reference join asset_portfolio using (content_hash) where id = ${id}`
  );
  const head = await world.objects.head(formatRawKey(row.hash as never));
  return `${row.state} ${head?.storageClass}`;
}

Deno.test("the archive takes what nobody has asked for, and gives it back on demand", async () => {
  await using world = await openReconcileWorld();
  const old = await addAsset(world, "old", 200);
  const used = await addAsset(world, "used", 200);
  const young = await addAsset(world, "young", 20);
  await world.database.write((sql) =>
    sql`
      update asset_portfolio set last_accessed_on = current_date - 10
      where content_hash = (select content_hash from asset_reference where id = ${used})`
  );
  const job = createJob(world);
  assert.deepEqual(await job.run({ dryRun: true }), { archived: 1, left: 0, errors: 0 });
  assert.equal(await stateOf(world, old), "READY standard");
  assert.deepEqual(await job.run(), { archived: 1, left: 0, errors: 0 });
  assert.equal(await stateOf(world, old), "ARCHIVED archive");
  assert.equal(await stateOf(world, used), "READY standard");
  assert.equal(await stateOf(world, young), "READY standard");
  assert.deepEqual((await world.run({ repair: true })).counts!.found.archived, 0);

  const restores = createRestores(world);
  await assert.rejects(restores.restore("b", old, "key"), (e) => hasCode(e, "asset_not_found"));
  assert.equal((await restores.restore("a", young, "key")).state, "READY");
  assert.equal((await restores.restore("a", old, "key")).state, "READY");
  assert.equal(await stateOf(world, old), "READY standard");
  // It counts as asked for.
  assert.deepEqual(await job.run(), { archived: 0, left: 0, errors: 0 });
});

Deno.test("a restore that takes hours is finished by the job", async () => {
  await using world = await openReconcileWorld();
  const id = await addAsset(world, "slow", 200);
  await createJob(world).run();
  let ongoing = true;
  const slow: ObjectStore = {
    ...world.objects,
    restore: (key, options) =>
      ongoing
        ? Promise.resolve({ ongoing: true, expiresAt: null })
        : world.objects.restore(key, options),
  };
  const restores = createRestores(world, slow);
  assert.equal((await restores.restore("a", id, "key")).state, "restoring");
  assert.equal(await stateOf(world, id), "ARCHIVED archive");
  assert.deepEqual(await restores.finishPending(), { ready: 0, pending: 1 });
  ongoing = false;
  assert.deepEqual(await restores.finishPending(), { ready: 1, pending: 0 });
  assert.equal(await stateOf(world, id), "READY standard");
});

Deno.test("an archived asset whose object is gone becomes MISSING when it is asked for", async () => {
  await using world = await openReconcileWorld();
  const id = await addAsset(world, "lost", 200);
  await createJob(world).run();
  const [{ hash }] = await world.database.read((sql) =>
    sql`select encode(content_hash, 'hex') as hash from asset_portfolio`
  );
  await world.objects.delete(formatRawKey(hash));
  const restores = createRestores(world);
  await assert.rejects(restores.restore("a", id, "key"), (e) => hasCode(e, "asset_missing"));
  assert.equal(await stateOf(world, id), "MISSING undefined");
});

Deno.test("the archive's job does not touch a row that changed after it was listed", async () => {
  await using world = await openReconcileWorld();
  const id = await addAsset(world, "racing", 200);
  const job = createArchiveJob({
    catalog: createArchiveCatalog(world.database),
    objects: {
      async setStorageClass() {
        await world.database.write((sql) =>
          sql`update asset_portfolio set state = 'MISSING', state_changed_at = now()`
        );
        return true;
      },
    },
    leases: createJobLeases(world.database),
    newId: () => crypto.randomUUID(),
    coldClass: "archive",
    unusedDays: 180,
    reportFailure: () => {},
  });
  assert.deepEqual(await job.run(), { archived: 0, left: 1, errors: 0 });
  assert.equal(await stateOf(world, id), "MISSING standard");
});
