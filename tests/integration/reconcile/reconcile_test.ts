/** Reconciliation on a real database and a real folder. */
import assert from "node:assert/strict";
import { createReconcileCatalog } from "../../../src/adapters/postgres/reconcile_catalog.ts";
import { createReconcileRecords } from "../../../src/adapters/postgres/reconcile_records.ts";
import { createJobLeases } from "../../../src/adapters/postgres/job_leases.ts";
import { formatQuarantineKey, formatRawKey } from "../../../src/core/object_keys.ts";
import type { ObjectStore } from "../../../src/core/object_store.ts";
import { hasCode } from "../../../src/errors.ts";
import { readKeys } from "../../support/invariants.ts";
import { hashText, openReconcileWorld, TEST_SHARD, textOf } from "../../support/reconcile_world.ts";

/** Other bytes of the same length. */
function reverse(text: string): string {
  return [...text].reverse().join("");
}

async function exists(objects: ObjectStore, key: string): Promise<boolean> {
  return await objects.head(key) !== null;
}

Deno.test("reconciliation settles each kind of drift, and nothing else", async () => {
  await using world = await openReconcileWorld();
  for (let i = 0; i < 60; i++) {
    await world.addRow(`healthy ${i}`);
    await world.addObject(`healthy ${i}`);
  }
  const missing = await world.addRow("missing");
  const resized = await world.addRow("resized");
  await world.addObject("resized", "longer than it was");
  const cooled = await world.addRow("cooled");
  await world.addObject("cooled");
  await world.objects.setStorageClass(formatRawKey(cooled), "archive");
  const warmed = await world.addRow("warmed", { state: "ARCHIVED", storageClass: "archive" });
  await world.addObject("warmed");
  const thawed = await world.addRow("thawed", {
    state: "ARCHIVED",
    storageClass: "archive",
    restoreRequested: true,
  });
  await world.addObject("thawed");
  await world.objects.setStorageClass(formatRawKey(thawed), "archive");
  await world.objects.restore(formatRawKey(thawed), { days: 1 });
  const back = await world.addRow("back", { state: "MISSING" });
  await world.addObject("back");
  const impostor = await world.addRow("impostor", { state: "MISSING" });
  await world.addObject("impostor", reverse(textOf("impostor")));
  const mended = await world.addRow("mended", { flagged: "size_mismatch" });
  await world.addObject("mended");
  const uploading = await world.addRow("uploading", { state: "UPLOADING" });
  await world.addObject("orphan");

  const dry = await world.run({ dryRun: true, repair: true });
  assert.equal((await world.rowOf(missing))?.state, "READY");
  assert.ok(await exists(world.objects, formatRawKey(hashText("orphan"))));
  const expected = {
    missing: 1,
    orphan: 1,
    size_mismatch: 1,
    archived: 1,
    restored: 1,
    back_again: 3,
  };
  assert.deepEqual(dry.counts!.found, expected);

  const { counts, status, id } = await world.run({ repair: true });
  assert.equal(status, "finished");
  assert.deepEqual(counts!.found, expected);
  assert.deepEqual(counts!.acted, expected);
  assert.deepEqual([counts!.rows, counts!.objects, counts!.errors], [69, 68, 0]);
  assert.deepEqual(await world.rowOf(missing), { state: "MISSING", flagged: null });
  assert.deepEqual(await world.rowOf(resized), { state: "READY", flagged: "size_mismatch" });
  assert.deepEqual(await world.rowOf(cooled), { state: "ARCHIVED", flagged: null });
  assert.deepEqual(await world.rowOf(warmed), { state: "READY", flagged: null });
  // Its copy will be gone tomorrow.
  assert.deepEqual(await world.rowOf(thawed), { state: "ARCHIVED", flagged: null });
  assert.deepEqual(await world.rowOf(back), { state: "READY", flagged: null });
  assert.deepEqual(await world.rowOf(impostor), { state: "MISSING", flagged: "hash_mismatch" });
  assert.deepEqual(await world.rowOf(mended), { state: "READY", flagged: null });
  assert.deepEqual(await world.rowOf(uploading), { state: "UPLOADING", flagged: null });
  const key = formatRawKey(hashText("orphan"));
  assert.ok(!await exists(world.objects, key));
  assert.ok(await exists(world.objects, formatQuarantineKey(key)));

  const findings = await createReconcileRecords(world.database).listFindings(id, 100);
  assert.equal(findings.find((each) => each.key === key)?.action, "quarantined");
  const again = await world.run({ repair: true });
  // What is wrong still: the object of another size, and the impostor.
  assert.deepEqual(again.counts!.found, {
    missing: 0,
    orphan: 0,
    size_mismatch: 1,
    archived: 0,
    restored: 0,
    back_again: 1,
  });
  assert.deepEqual(world.reports, []);
});

Deno.test("reconciliation leaves the young alone, and nothing to a run without repair", async () => {
  await using world = await openReconcileWorld();
  const young = await world.addRow("young", { ageHours: 0 });
  await world.addObject("young orphan");
  const limits = { graceMs: 3_600_000 };
  assert.deepEqual((await world.run({ repair: true }, { limits })).counts!.left, 0);
  assert.equal((await world.rowOf(young))?.state, "READY");
  const key = formatRawKey(hashText("young orphan"));
  assert.ok(await exists(world.objects, key));
  const { counts } = await world.run({});
  assert.deepEqual([counts!.found.orphan, counts!.acted.orphan], [1, 0]);
  assert.ok(await exists(world.objects, key));
});

Deno.test("reconciliation empties the quarantine in a later run, past the retention, under a cap", async () => {
  await using world = await openReconcileWorld();
  for (let i = 0; i < 5; i++) await world.addObject(`orphan ${i}`);
  const kept = { retentionMs: 3_600_000, maxDeletions: 3 };
  const expired = { retentionMs: 0, maxDeletions: 3 };
  const count = async () => (await readKeys(world.objects, "quarantine/")).length;
  // Its own run deletes nothing, however short the retention.
  assert.equal(
    (await world.run({ repair: true }, { limits: expired })).counts!.quarantineDeleted,
    0,
  );
  assert.equal(await count(), 5);
  assert.equal(
    (await world.run({ repair: false }, { limits: expired })).counts!.quarantineDeleted,
    0,
  );
  assert.equal(
    (await world.run({ repair: true }, { limits: expired })).counts!.quarantineDeleted,
    3,
  );
  assert.equal(
    (await world.run({ repair: true }, { limits: expired })).counts!.quarantineDeleted,
    2,
  );
  assert.equal(await count(), 0);
  await world.addObject("another");
  await world.run({ repair: true }, { limits: kept });
  assert.equal((await world.run({ repair: true }, { limits: kept })).counts!.quarantineDeleted, 0);
  assert.equal(await count(), 1);
});

Deno.test("reconciliation keeps within its caps", async () => {
  await using world = await openReconcileWorld();
  for (let i = 0; i < 20; i++) await world.addRow(`gone ${i}`);
  const { counts } = await world.run({}, { limits: { maxActions: 6 } });
  assert.deepEqual(
    [counts!.found.missing, counts!.acted.missing, counts!.postponed],
    [20, 6, 14],
  );
});

Deno.test("reconciliation flags objects with other bytes that the scrub finds", async () => {
  await using world = await openReconcileWorld();
  for (const text of ["one", "two"]) await world.addRow(text);
  await world.addObject("one");
  await world.addObject("two", reverse(textOf("two")));
  const { counts } = await world.run({}, { limits: { scrubSamples: 10 } });
  assert.deepEqual([counts!.scrubbed, counts!.scrubMismatches], [2, 1]);
  assert.deepEqual(await world.rowOf(hashText("two")), {
    state: "READY",
    flagged: "hash_mismatch",
  });
  assert.deepEqual(await world.rowOf(hashText("one")), { state: "READY", flagged: null });
  const layers = await world.database.read((sql) => sql`select layers from purge_outbox`);
  assert.deepEqual(layers.map((row) => row.layers), [["memory", "kv", "cdn"]]);
});

Deno.test("reconciliation runs once at a time, and a run that was killed goes on", async () => {
  await using world = await openReconcileWorld();
  const leases = createJobLeases(world.database);
  const records = createReconcileRecords(world.database);
  const dead = await leases.acquire("reconcile", { holder: "dead", ttlMs: 60_000 });
  await assert.rejects(world.run(), (error) => hasCode(error, "state_conflict"));
  const scope = { dryRun: false, repair: false, firstShard: 0, lastShard: 255 };
  const begun = await records.begin({ ...scope, id: crypto.randomUUID(), requestedBy: "x" }, dead!);
  const { counts } = await world.run({ dryRun: true }).catch(() => ({ counts: null }));
  assert.equal(counts, null);
  const done = { rows: 3, objects: 3, rowBytes: 9, objectBytes: 9, left: 0, postponed: 0 };
  const zeros = {
    missing: 0,
    orphan: 0,
    size_mismatch: 0,
    archived: 0,
    restored: 0,
    back_again: 0,
  };
  const more = { found: zeros, acted: zeros, errors: 0, scrubbed: 0, scrubMismatches: 0 };
  const shard = { number: 199, findings: [], complete: true };
  const saved = { ...shard, counts: { ...done, ...more, quarantineDeleted: 0 } };
  assert.ok(await records.saveShard(begun, saved, dead!));
  await dead!.release();
  // Its token is old: it cannot write any more.
  const successor = await leases.acquire("reconcile", { holder: "next", ttlMs: 60_000 });
  assert.ok(!await records.saveShard(begun, saved, dead!));
  assert.ok(!await dead!.renew());
  await successor!.release();
  const low = await world.addRow("before the cursor");
  const all = { shard: undefined };
  const run = await world.run(all);
  assert.equal(run.id, begun.id);
  assert.equal((await world.rowOf(low))?.state, "READY");
  assert.equal(run.counts!.rows, 3);
  assert.notEqual((await world.run(all)).id, begun.id);
  assert.equal((await world.rowOf(low))?.state, "MISSING");
});

Deno.test("reconciliation looks at one shard when it is told to", async () => {
  await using world = await openReconcileWorld();
  const a = await world.addRow("a");
  assert.equal((await world.run({ shard: TEST_SHARD + 1 })).counts!.rows, 0);
  assert.equal((await world.run({ shard: TEST_SHARD })).counts!.acted.missing, 1);
  assert.equal((await world.rowOf(a))?.state, "MISSING");
});

Deno.test("a row that changed after it was read is not touched", async () => {
  await using world = await openReconcileWorld();
  const hash = await world.addRow("moving");
  const catalog = createReconcileCatalog(world.database);
  const lease = await createJobLeases(world.database)
    .acquire("reconcile", { holder: "test", ttlMs: 60_000 });
  const seen = (await catalog.find(hash))!;
  await world.database.write((sql) =>
    sql`
      update asset_portfolio set state_changed_at = now()
      where content_hash = decode(${hash}, 'hex')`
  );
  const change = { to: "MISSING", reason: "test" } as const;
  assert.ok(!await catalog.change(seen, change, lease!));
  const current = (await catalog.find(hash))!;
  await lease!.release();
  assert.ok(!await catalog.change(current, change, lease!));
  assert.equal((await world.rowOf(hash))?.state, "READY");
});
