/** Reconciliation beside uploads and deletions of the same bytes. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createAssetRemoval } from "../../../src/adapters/postgres/asset_removal.ts";
import type { ContentHash } from "../../../src/core/content_hash.ts";
import { formatRawKey } from "../../../src/core/object_keys.ts";
import type { ObjectStore } from "../../../src/core/object_store.ts";
import { createPostgresReconciler } from "../../support/postgres_reconciler.ts";
import { openUploadWorld, requestOf, type UploadWorld } from "../../support/upload_world.ts";

const encode = (text: string) => new TextEncoder().encode(text);

function hashOf(text: string): ContentHash {
  return createHash("sha256").update(text).digest("hex") as ContentHash;
}

async function upload(world: UploadWorld, text: string): Promise<void> {
  await world.ingest.ingest(new Blob([encode(text)]).stream(), requestOf());
}

/** One run over the shard of `text`, without grace, that moves objects. */
async function reconcile(world: UploadWorld, text: string, objects: ObjectStore = world.objects) {
  const { database } = world;
  const reconciler = createPostgresReconciler(database, {
    objects,
    limits: { graceMs: 0 },
    reportFailure: (event, { error }) => assert.fail(`${event}: ${error}`),
  });
  const shard = parseInt(hashOf(text).slice(0, 2), 16);
  const { done } = await reconciler.start({ repair: true, shard, requestedBy: "test" });
  return await done;
}

Deno.test("an upload of an orphan's bytes while it is put aside ends READY with its object", async () => {
  await using world = await openUploadWorld();
  const text = "wanted again";
  const key = formatRawKey(hashOf(text));
  await world.objects.put(key, encode(text));
  let uploading: Promise<void> | undefined;
  const slow: ObjectStore = {
    ...world.objects,
    async delete(key, options) {
      // The worst moment: looked at, copied, about to be removed.
      uploading = upload(world, text);
      await new Promise((resolve) => setTimeout(resolve, 300));
      await world.objects.delete(key, options);
    },
  };
  const { counts } = await reconcile(world, text, slow);
  assert.equal(counts!.acted.orphan, 1);
  await uploading;
  assert.equal((await world.objects.head(key))?.sizeBytes, text.length);
  await world.objects.delete(`quarantine/${key}`);
  const acknowledged = [{ tenant: requestOf().tenant, hash: hashOf(text) }];
  await world.assertInvariants({ acknowledged });
});

Deno.test("an upload after the listing saves an orphan", async () => {
  await using world = await openUploadWorld();
  const text = "adopted";
  const key = formatRawKey(hashOf(text));
  await world.objects.put(key, encode(text));
  let heads = 0;
  const late: ObjectStore = {
    ...world.objects,
    async head(key, options) {
      if (heads++ === 0) await upload(world, text);
      return await world.objects.head(key, options);
    },
  };
  const { counts } = await reconcile(world, text, late);
  assert.deepEqual([counts!.found.orphan, counts!.acted.orphan, counts!.left], [1, 0, 1]);
  await world.assertInvariants({
    acknowledged: [{ tenant: requestOf().tenant, hash: hashOf(text) }],
  });
});

Deno.test("a re-upload between the look at the object and the mark is not marked MISSING", async () => {
  await using world = await openUploadWorld();
  const text = "lost and found";
  const key = formatRawKey(hashOf(text));
  await upload(world, text);
  await world.objects.delete(key);
  const racing: ObjectStore = {
    ...world.objects,
    async head(key, options) {
      const head = await world.objects.head(key, options);
      // Delivery notices first, and the owner uploads again.
      await world.database.write((sql) =>
        sql`
          with moved as (
            update asset_portfolio set state = 'MISSING', state_changed_at = clock_timestamp()
            where content_hash = decode(${hashOf(text)}, 'hex') and state = 'READY'
            returning content_hash)
          insert into asset_event (content_hash, from_state, to_state, reason, actor, at)
          select content_hash, 'READY', 'MISSING', 'test', 'test', clock_timestamp() from moved`
      );
      await upload(world, text);
      return head;
    },
  };
  const { counts } = await reconcile(world, text, racing);
  assert.deepEqual([counts!.found.missing, counts!.acted.missing, counts!.left], [1, 0, 1]);
  await world.assertInvariants({
    acknowledged: [{ tenant: requestOf().tenant, hash: hashOf(text) }],
  });
});

Deno.test("the bytes of a deleted asset are left to its purge while that is due", async () => {
  await using world = await openUploadWorld();
  const text = "deleted";
  const hash = hashOf(text);
  await upload(world, text);
  const { tenant } = requestOf();
  await createAssetRemoval(world.database).remove(tenant, { by: "hash", hash }, { actor: "test" });
  const { counts } = await reconcile(world, text);
  assert.deepEqual([counts!.found.orphan, counts!.acted.orphan], [1, 0]);
  assert.ok(await world.objects.head(formatRawKey(hash)));
  await world.database.write((sql) => sql`update purge_outbox set done_at = now()`);
  assert.equal((await reconcile(world, text)).counts!.acted.orphan, 1);
});

Deno.test("uploads beside a running reconciliation are neither marked nor moved", async () => {
  await using world = await openUploadWorld();
  const texts = Array.from({ length: 12 }, (_, i) => `upload ${i}`);
  const work = texts.map((text) => upload(world, text));
  for (const text of texts) await reconcile(world, text);
  await Promise.all(work);
  await world.assertInvariants({
    acknowledged: texts.map((text) => ({ tenant: requestOf().tenant, hash: hashOf(text) })),
  });
});
