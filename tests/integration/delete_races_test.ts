/** Deleting, purging and uploading the same bytes at once, on real parts. */
import assert from "node:assert/strict";
import { createAssetDirectory } from "../../src/adapters/postgres/asset_directory.ts";
import { createAssetRemoval } from "../../src/adapters/postgres/asset_removal.ts";
import { createPurgeOutbox } from "../../src/adapters/postgres/purge_outbox.ts";
import { createAssetService } from "../../src/assets/asset_service.ts";
import { createCursorCodec } from "../../src/assets/list_cursor.ts";
import { createStoredBytesLayer } from "../../src/assets/stored_bytes_layer.ts";
import type { ContentHash } from "../../src/core/content_hash.ts";
import { formatRawKey } from "../../src/core/object_keys.ts";
import type { ObjectRemover } from "../../src/core/object_store.ts";
import { AppError, hasCode } from "../../src/errors.ts";
import { createPurgeService } from "../../src/purge/purge_service.ts";
import {
  bodyOf,
  openUploadWorld,
  randomFile,
  requestOf,
  sha256Of,
  type UploadWorld,
} from "../support/upload_world.ts";

const ACTOR = { actor: "key-1" };

/** Deletion as the composition root wires it. */
function createDeletion(world: UploadWorld, objects: Pick<ObjectRemover, "delete">) {
  const removal = createAssetRemoval(world.database);
  const layer = createStoredBytesLayer({
    content: removal,
    objects,
    newId: () => crypto.randomUUID(),
    now: () => performance.now(),
    leaseMs: 2_000,
    timeoutMs: 500,
  });
  const purges = createPurgeService({
    outbox: createPurgeOutbox(world.database),
    layers: [layer],
  });
  const assets = createAssetService({
    directory: createAssetDirectory(world.database),
    references: removal,
    cursors: createCursorCodec("test"),
  });
  return { layer, purges, assets };
}

const upload = (world: UploadWorld, bytes: Uint8Array, tenant = "acme") =>
  world.ingest.ingest(bodyOf(bytes), requestOf({ tenant }));

async function pendingPurges(world: UploadWorld): Promise<number> {
  const [row] = await world.database.read((sql) =>
    sql`select count(*) from purge_outbox where done_at is null`
  );
  return row.count;
}

Deno.test("a deleted asset's bytes are gone after the purge, and uploading them again heals it", async () => {
  await using world = await openUploadWorld();
  const { purges, assets } = createDeletion(world, world.objects);
  const bytes = randomFile(50_000);
  const hash = sha256Of(bytes) as ContentHash;
  const { asset } = await upload(world, bytes);
  await assets.delete("acme", { by: "id", id: asset.assetId }, ACTOR);
  assert.ok(await world.objects.head(formatRawKey(hash)), "the mark comes first");
  const [receipt] = await purges.runFor(hash);
  assert.equal(receipt.complete, true);
  assert.equal(await world.objects.head(formatRawKey(hash)), null);
  assert.equal(await pendingPurges(world), 0);

  const again = await upload(world, bytes);
  assert.equal(again.created, true);
  await world.assertInvariants({ acknowledged: [{ tenant: "acme", hash }] });
});

Deno.test("a purge that comes after the bytes were uploaded again leaves them alone", async () => {
  await using world = await openUploadWorld();
  const { purges, assets } = createDeletion(world, world.objects);
  const bytes = randomFile(50_000);
  const hash = sha256Of(bytes) as ContentHash;
  const { asset } = await upload(world, bytes);
  await assets.delete("acme", { by: "id", id: asset.assetId }, ACTOR);
  await upload(world, bytes, "globex");
  const [receipt] = await purges.runFor(hash);
  assert.equal(receipt.complete, true);
  assert.equal(await pendingPurges(world), 0);
  await world.assertInvariants({ acknowledged: [{ tenant: "globex", hash }] });
});

Deno.test("an upload waits while a purge removes the same bytes", async () => {
  await using world = await openUploadWorld();
  const order: string[] = [];
  let release = () => {};
  const held = new Promise<void>((resolve) => release = resolve);
  const { purges, assets } = createDeletion(world, {
    async delete(key, options) {
      order.push("removing");
      await held;
      await world.objects.delete(key, options);
      order.push("removed");
    },
  });
  const bytes = randomFile(50_000);
  const hash = sha256Of(bytes) as ContentHash;
  const { asset } = await upload(world, bytes);
  await assets.delete("acme", { by: "id", id: asset.assetId }, ACTOR);
  const purging = purges.runFor(hash);
  const uploading = new Promise((resolve) => setTimeout(resolve, 100))
    .then(() => upload(world, bytes)).then(() => order.push("uploaded"));
  setTimeout(release, 300);
  await Promise.all([purging, uploading]);
  assert.deepEqual(order, ["removing", "removed", "uploaded"]);
  await world.assertInvariants({ acknowledged: [{ tenant: "acme", hash }] });
});

Deno.test("createStoredBytesLayer() keeps the lease after a removal that failed or hung", async () => {
  await using world = await openUploadWorld();
  const fail: ObjectRemover["delete"] = () =>
    Promise.reject(new AppError("storage_unavailable", "The store is down"));
  const hang: ObjectRemover["delete"] = (_key, options) =>
    new Promise((_, reject) => {
      options!.signal!.addEventListener("abort", () => reject(options!.signal!.reason));
    });
  for (const broken of [fail, hang]) {
    const removal = { delete: broken };
    const { layer, assets } = createDeletion(world, removal);
    const bytes = randomFile(10_000);
    const hash = sha256Of(bytes) as ContentHash;
    const { asset } = await upload(world, bytes);
    await assets.delete("acme", { by: "id", id: asset.assetId }, ACTOR);
    const { signal } = new AbortController();
    const startedAt = performance.now();
    await assert.rejects(layer.purge({ hash }, signal));
    // The store may still carry the request out: nobody else gets the row, and nobody uploads.
    await assert.rejects(
      layer.purge({ hash }, signal),
      (error) => hasCode(error, "state_conflict"),
    );
    await upload(world, bytes);
    assert.ok(performance.now() - startedAt >= 1_900, "the upload did not wait for the lease");
    removal.delete = (key, options) => world.objects.delete(key, options);
    assert.equal(await layer.purge({ hash }, signal), 0, "READY content was taken");
  }
  await world.assertInvariants();
});

Deno.test("deletes, purges and uploads of the same bytes at once break no promise", async () => {
  await using world = await openUploadWorld();
  const { purges, assets } = createDeletion(world, world.objects);
  const files = [randomFile(20_000), randomFile(30_000)];
  const tenants = ["a", "b", "c"];
  const acknowledged = new Set<string>();
  let stopped = false;
  const purger = (async () => {
    while (!stopped) {
      await purges.runPending();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  // Each tenant uploads and deletes its own reference in turn, so that it knows what must be there.
  await Promise.all(tenants.flatMap((tenant) =>
    files.map(async (bytes) => {
      const hash = sha256Of(bytes) as ContentHash;
      for (let round = 0; round < 12; round++) {
        await upload(world, bytes, tenant);
        if (round === 11 && tenant === "a") {
          acknowledged.add(hash);
          return;
        }
        await assets.delete(tenant, { by: "hash", hash }, ACTOR);
      }
    })
  ));
  stopped = true;
  await purger;
  await purges.runPending();
  await world.expireLeases();
  await world.assertInvariants({
    acknowledged: [...acknowledged].map((hash) => ({ tenant: "a", hash })),
  });
  assert.equal(await pendingPurges(world), 0);
});
