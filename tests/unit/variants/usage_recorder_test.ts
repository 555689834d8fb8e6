import assert from "node:assert/strict";
import { createUsageStore } from "../../../src/adapters/postgres/usage_store.ts";
import { createUsageRecorder, type UsageBatch } from "../../../src/variants/usage_recorder.ts";
import { hashOf, seedAsset } from "../../support/seed_catalog.ts";
import { openTestDatabase } from "../../support/test_database.ts";

const HASH = hashOf("asset");

function access(more: { variant?: string | null; tier?: "MEMORY" | "MISS"; ms?: number } = {}) {
  const { variant = "640x480/80.webp", tier = "MEMORY", ms = null } = more;
  return { hash: HASH, variant, tier, bytes: 1_000, renderMs: ms };
}

function createRecorder(add: (batch: UsageBatch) => Promise<void>, maxAssets = 100) {
  const failures: unknown[] = [];
  const recorder = createUsageRecorder({
    store: { add },
    newId: () => crypto.randomUUID(),
    now: () => new Date("2026-01-15T12:00:00Z"),
    flushAfterMs: 60_000,
    maxAssets,
    reportFailure: (error) => failures.push(error),
  });
  return { recorder, failures };
}

Deno.test("createUsageRecorder() adds up and hands on one batch", async () => {
  const batches: UsageBatch[] = [];
  const { recorder } = createRecorder((batch) => Promise.resolve(void batches.push(batch)));
  recorder.record(access({ tier: "MISS", ms: 40 }));
  recorder.record(access());
  recorder.record({ hash: HASH, variant: null, tier: "ORIGIN", bytes: 5, renderMs: null });
  assert.equal(batches.length, 0);
  await recorder.close();
  assert.equal(batches.length, 1);
  const [{ totals, variants, day, accessed }] = batches;
  assert.equal(day, "2026-01-15");
  assert.deepEqual([...accessed], [HASH]);
  assert.deepEqual(variants.get(HASH)?.get("640x480/80.webp"), {
    requests: 2,
    renders: 1,
    variantBytes: 1_000,
    egressBytes: 2_000,
    computeMs: 40,
  });
  assert.deepEqual(totals, {
    variantRequests: 2,
    memoryHits: 1,
    kvHits: 0,
    misses: 1,
    notModified: 0,
    originalRequests: 1,
    renders: 1,
    egressBytes: 2_005,
    computeMs: 40,
  });
});

Deno.test("createUsageRecorder() notes an asset once a day", async () => {
  const noted: number[] = [];
  const { recorder } = createRecorder((batch) =>
    Promise.resolve(void noted.push(batch.accessed.size))
  );
  for (let i = 0; i < 3; i++) {
    recorder.record(access());
    await recorder.flush();
  }
  assert.deepEqual(noted, [1, 0, 0]);
  await recorder.close();
});

Deno.test("createUsageRecorder() hands the same batch on again when the store fails", async () => {
  const ids: string[] = [];
  let fails = true;
  const { recorder, failures } = createRecorder((batch) => {
    ids.push(batch.id);
    return fails ? Promise.reject(new Error("away")) : Promise.resolve();
  });
  recorder.record(access());
  await recorder.flush();
  recorder.record(access());
  await recorder.flush();
  assert.equal(failures.length, 2);
  fails = false;
  await recorder.close();
  assert.equal(ids[0], ids[1]);
  assert.equal(ids[1], ids[2]);
  assert.equal(ids.length, 4);
});

Deno.test("createUsageRecorder() hands on a full batch at once", async () => {
  let batches = 0;
  const { recorder } = createRecorder(() => Promise.resolve(void batches++), 2);
  recorder.record(access());
  recorder.record({ ...access(), hash: hashOf("other") });
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(batches, 1);
  await recorder.close();
});

Deno.test("createUsageStore() adds a batch once, and writes an asset's access once a day", async () => {
  const opened = await openTestDatabase();
  const { database } = opened;
  try {
    await seedAsset(database, { tenant: "a", hash: HASH });
    const store = createUsageStore(database);
    const batches: UsageBatch[] = [];
    const { recorder } = createRecorder((batch) => {
      batches.push(batch);
      return store.add(batch);
    });
    recorder.record(access({ tier: "MISS", ms: 40.5 }));
    await recorder.flush();
    recorder.record(access());
    recorder.record(access({ variant: "320x240/80.webp" }));
    await recorder.close();
    // The answer to the first was lost, say.
    await store.add(batches[0]);
    const found = await store.find(HASH);
    assert.deepEqual(Object.fromEntries(found), {
      "640x480/80.webp": { hits: 2, bytes: 1_000 },
      "320x240/80.webp": { hits: 1, bytes: 1_000 },
    });
    const [day] = await database.read((sql) => sql`select * from usage_day`);
    assert.deepEqual(
      [day.day, day.variant_requests, day.memory_hits, day.misses, day.renders, day.compute_ms],
      ["2026-01-15", 3, 2, 1, 1, 40.5],
    );
    const [row] = await database.read((sql) => sql`select last_accessed_on from asset_portfolio`);
    assert.equal(row.last_accessed_on, "2026-01-15");
  } finally {
    await opened.close();
  }
});
