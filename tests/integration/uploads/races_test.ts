/** Uploads that meet each other, purges and lost answers of the catalog. */
import assert from "node:assert/strict";
import type { ContentHash } from "../../../src/core/content_hash.ts";
import { formatRawKey } from "../../../src/core/object_keys.ts";
import { AppError, hasCode } from "../../../src/errors.ts";
import { pause } from "../../../src/uploads/catalog_retry.ts";
import type { UploadCatalog } from "../../../src/uploads/ports.ts";
import { readKeys, readRows } from "../../support/invariants.ts";
import {
  bodyOf,
  openUploadWorld,
  randomFile,
  requestOf,
  sha256Of,
  type UploadWorld,
} from "../../support/upload_world.ts";

Deno.test("Ingest.ingest() makes one object of the same bytes sent to two instances", async () => {
  await using world = await openUploadWorld();
  const other = world.addInstance({ objects: world.faults.objects });
  const bytes = randomFile(300_000);
  const results = await Promise.all(
    Array.from({ length: 12 }, (_, i) =>
      (i % 2 ? world : other).ingest.ingest(
        bodyOf(bytes),
        requestOf({ fileName: `${i}`, tenant: `tenant-${i % 3}` }),
      )),
  );
  assert.equal(world.faults.calls.put, 1);
  assert.equal(results.filter(({ created }) => created).length, 3, "one for each tenant");
  assert.equal(new Set(results.map(({ asset }) => asset.assetId)).size, 3);
  assert.deepEqual(await readKeys(world.objects, "raw/"), [
    formatRawKey(sha256Of(bytes) as ContentHash),
  ]);
  await world.assertInvariants();
});

Deno.test("Ingest.ingest() lets a paused upload end well after another has taken over", async () => {
  await using world = await openUploadWorld();
  const bytes = randomFile(1_000);
  let resume = () => {};
  const paused = new Promise<void>((resolve) => resume = resolve);
  world.faults.plan("put", { when: "before", act: () => paused });
  const first = world.ingest.ingest(bodyOf(bytes), requestOf({ tenant: "slow" }));
  while ((await readRows(world.database)).length === 0) await pause(10);
  await world.expireLeases();
  const second = await world.addInstance().ingest.ingest(
    bodyOf(bytes),
    requestOf({ tenant: "quick" }),
  );
  assert.equal(second.created, true);
  resume();
  assert.equal((await first).asset.state, "READY");
  await world.assertInvariants({
    acknowledged: ["slow", "quick"].map((tenant) => ({ tenant, hash: sha256Of(bytes) })),
  });
});

Deno.test("Ingest.ingest() takes over for waiting uploads when the one at work dies", async () => {
  await using world = await openUploadWorld();
  const bytes = randomFile(1_000);
  // An upload of a process that is no more: a row with a lease that nobody renews.
  await world.database.write((sql) =>
    sql`insert into asset_portfolio (content_hash, size_bytes, state, attempt_id, lease_expires_at)
      values (decode(${sha256Of(bytes)}, 'hex'), ${bytes.length}, 'UPLOADING',
        ${crypto.randomUUID()}, now() + interval '1.5 seconds')`
  );
  await world.database.write((sql) =>
    sql`insert into asset_event (content_hash, to_state, reason, actor)
      values (decode(${sha256Of(bytes)}, 'hex'), 'UPLOADING', 'uploaded', 'dead')`
  );
  const startedAt = performance.now();
  const results = await Promise.all(
    [1, 2, 3].map(() => world.ingest.ingest(bodyOf(bytes), requestOf())),
  );
  assert.ok(performance.now() - startedAt > 1_000, "waited for the lease");
  assert.equal(results.filter(({ created }) => created).length, 1);
  assert.equal(world.faults.calls.put, 1);
  await world.assertInvariants();
});

Deno.test("Ingest.ingest() answers upload_queue_full when the one at work takes too long", async () => {
  await using world = await openUploadWorld({ limits: { claimWaitMs: 300 } });
  const bytes = randomFile(1_000);
  let resume = () => {};
  const paused = new Promise<void>((resolve) => resume = resolve);
  world.faults.plan("put", { when: "before", act: () => paused });
  const first = world.ingest.ingest(bodyOf(bytes), requestOf());
  while (world.faults.calls.put === 0) await pause(10);
  for (const instance of [world, world.addInstance()]) {
    await assert.rejects(
      instance.ingest.ingest(bodyOf(bytes), requestOf()),
      (error) => hasCode(error, "upload_queue_full") && error.retryAfterSeconds! >= 1,
    );
  }
  resume();
  assert.equal((await first).created, true);
  await world.assertInvariants();
});

Deno.test("Ingest.ingest() brings content back that is", async (t) => {
  await using world = await openUploadWorld();
  const states: Record<string, string> = {
    "deleted and purged": "state = 'DELETED', purged_at = now()",
    "deleted, its purge not begun": "state = 'DELETED'",
    "deleted, its purge dead": "state = 'DELETED', lease_expires_at = now() - interval '1 second'",
    "missing": "state = 'MISSING'",
    "failed": "state = 'FAILED'",
    "flagged": "flagged = 'size_mismatch'",
  };
  for (const [name, change] of Object.entries(states)) {
    await t.step(name, async () => {
      const bytes = randomFile(1_000);
      const hash = sha256Of(bytes) as ContentHash;
      await world.ingest.ingest(bodyOf(bytes), requestOf({ visibility: "private" }));
      await tamper(world, hash, change);
      await world.objects.delete(formatRawKey(hash));
      assert.equal(await world.ingest.knownToTenant("acme", hash), null);
      const { created, asset } = await world.ingest.ingest(bodyOf(bytes), requestOf());
      assert.equal(created, true);
      assert.equal(asset.state, "READY");
      await world.assertInvariants({ acknowledged: [{ tenant: "acme", hash }] });
    });
  }
});

Deno.test("Ingest.ingest() waits while a purge is removing the same bytes", async () => {
  await using world = await openUploadWorld();
  const bytes = randomFile(1_000);
  const hash = sha256Of(bytes) as ContentHash;
  await world.ingest.ingest(bodyOf(bytes), requestOf());
  await tamper(world, hash, "state = 'DELETED', lease_expires_at = now() + interval '1 minute'");
  const upload = world.ingest.ingest(bodyOf(bytes), requestOf());
  await pause(300);
  const puts = world.faults.calls.put;
  await world.objects.delete(formatRawKey(hash));
  await tamper(world, hash, "purged_at = now(), lease_expires_at = null");
  assert.equal((await upload).asset.state, "READY");
  assert.equal(puts, 1, "nothing was written while the purge was at work");
  await world.assertInvariants({ acknowledged: [{ tenant: "acme", hash }] });
});

/** Changes a row as another part of the service would, with its events. */
async function tamper(world: UploadWorld, hash: ContentHash, change: string): Promise<void> {
  await world.database.write((sql) =>
    sql.unsafe(`
      with before as (
        select content_hash, state from asset_portfolio where content_hash = decode('${hash}', 'hex')
      ), after as (
        update asset_portfolio set ${change} where content_hash = decode('${hash}', 'hex')
        returning content_hash, state
      )
      insert into asset_event (content_hash, from_state, to_state, reason, actor, at)
      select content_hash, before.state, after.state, 'test', 'test', clock_timestamp()
      from before join after using (content_hash) where before.state <> after.state
        and not (before.state = 'READY' and after.state = 'FAILED')
      union all
      select content_hash, step.from_state, step.to_state, 'test', 'test', clock_timestamp()
      from before join after using (content_hash), (values
        ('READY', 'MISSING'), ('MISSING', 'UPLOADING'), ('UPLOADING', 'FAILED')
      ) as step (from_state, to_state)
      where before.state = 'READY' and after.state = 'FAILED'`)
  );
}

const STEPS = ["claim", "verify", "publish"] as const;

/** Makes a step of the catalog lose its answer so many times. */
function losing(step: (typeof STEPS)[number], times: number) {
  let left = times;
  return (catalog: UploadCatalog): UploadCatalog => ({
    ...catalog,
    // deno-lint-ignore no-explicit-any -- passes any arguments on
    async [step](...args: any[]) {
      // deno-lint-ignore no-explicit-any -- as above
      const answer = await (catalog[step] as any)(...args);
      if (left-- > 0) throw new AppError("catalog_unavailable", "the answer was lost");
      return answer;
    },
  });
}

Deno.test("Ingest.ingest() survives a lost answer to", async (t) => {
  await using world = await openUploadWorld();
  for (const step of STEPS) {
    await t.step(`${step}, once`, async () => {
      const bytes = randomFile(1_000);
      const instance = world.addInstance({ wrapCatalog: losing(step, 1) });
      const { created, asset } = await instance.ingest.ingest(bodyOf(bytes), requestOf());
      assert.deepEqual([created, asset.state], [true, "READY"]);
      await world.assertInvariants({ acknowledged: [{ tenant: "acme", hash: sha256Of(bytes) }] });
    });
    await t.step(
      `${step}, again and again: catalog_unavailable, and a retry finds it`,
      async () => {
        const bytes = randomFile(1_000);
        const instance = world.addInstance({ wrapCatalog: losing(step, 100) });
        await assert.rejects(
          instance.ingest.ingest(bodyOf(bytes), requestOf()),
          (error) => hasCode(error, "catalog_unavailable"),
        );
        await world.expireLeases();
        await world.sweep.run();
        await world.assertInvariants();
        const { asset } = await world.ingest.ingest(bodyOf(bytes), requestOf());
        assert.equal(asset.state, "READY");
        await world.assertInvariants({ acknowledged: [{ tenant: "acme", hash: sha256Of(bytes) }] });
      },
    );
  }
});
