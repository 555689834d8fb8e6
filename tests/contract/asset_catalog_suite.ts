/** What reading, listing and deleting assets has to do, on every database. */
import assert from "node:assert/strict";
import { createAssetDirectory } from "../../src/adapters/postgres/asset_directory.ts";
import { createAssetRemoval } from "../../src/adapters/postgres/asset_removal.ts";
import { type AssetService, createAssetService } from "../../src/assets/asset_service.ts";
import { createCursorCodec } from "../../src/assets/list_cursor.ts";
import { parseListQuery } from "../../src/assets/list_query.ts";
import type { AssetState } from "../../src/core/asset_state.ts";
import type { ContentHash } from "../../src/core/content_hash.ts";
import { hasCode } from "../../src/errors.ts";
import { hashOf, seedAsset } from "../support/seed_catalog.ts";
import type { TestDatabase } from "../support/test_database.ts";

const ACTOR = { actor: "key_test" };

/** Registers the suite. `open` makes a fresh, migrated database. */
export function testAssetCatalog(name: string, open: () => Promise<TestDatabase>): void {
  async function withService(run: (fixture: ReturnType<typeof build>) => Promise<void>) {
    const opened = await open();
    try {
      await run(build(opened));
    } finally {
      await opened.close();
    }
  }

  Deno.test(`createAssetDirectory() on ${name} finds by id and hash, for its tenant only`, async () => {
    await withService(async ({ database, directory }) => {
      const hash = hashOf("one");
      const id = await seedAsset(database, { tenant: "a", hash, fileName: "100%_sure.png" });
      const found = await directory.find("a", { by: "id", id });
      assert.ok(found);
      assert.deepEqual(await directory.find("a", { by: "hash", hash }), found);
      const { thumbHash, createdAt, ...rest } = found;
      assert.deepEqual([...thumbHash!], [1, 2, 255]);
      assert.ok(createdAt instanceof Date);
      assert.deepEqual(rest, {
        assetId: id,
        contentHash: hash,
        sizeBytes: 7,
        mediaType: "image/png",
        state: "READY",
        width: 40,
        height: 30,
        orientation: null,
        frames: null,
        bitDepth: null,
        colorModel: null,
        hasAlpha: null,
        iccName: "Display P3",
        dominantColor: "#00ff7f",
        fileName: "100%_sure.png",
        visibility: "public",
      });
      assert.equal(await directory.find("b", { by: "id", id }), null);
      assert.equal(await directory.find("b", { by: "hash", hash }), null);
      assert.equal(await directory.find("a", { by: "hash", hash: hashOf("two") }), null);
    });
  });

  Deno.test(`AssetService.list() on ${name} shows each asset once, whatever is added meanwhile`, async () => {
    await withService(async ({ database, service, page }) => {
      const expected: string[] = [];
      for (let n = 0; n < 23; n++) {
        // Several share a microsecond, and so are told apart by their ids; some a millisecond only.
        const createdAt = `2026-01-01T00:00:00.00000${Math.trunc(n / 5)}Z`;
        expected.push(await seedAsset(database, { tenant: "a", hash: hashOf(`${n}`), createdAt }));
      }
      await seedAsset(database, { tenant: "b", hash: hashOf("0") });
      const seen: string[] = [];
      let cursor: string | null = null;
      let pages = 0;
      do {
        const { assets, nextCursor } = await page("a", "limit=5", cursor);
        assert.ok(assets.length === 5 || nextCursor === null);
        seen.push(...assets.map((asset) => asset.assetId));
        await seedAsset(database, { tenant: "a", hash: hashOf(`new ${pages++}`) });
        cursor = nextCursor;
      } while (cursor !== null);
      assert.deepEqual(seen.toSorted(), expected.toSorted());
      assert.equal(pages, 5);
      const times = (await service.list("a", parseListQuery(new URLSearchParams("limit=200"))))
        .assets.map((asset) => asset.createdAt.getTime());
      assert.deepEqual(times, times.toSorted((x, y) => y - x));
    });
  });

  Deno.test(`AssetService.list() on ${name} ends without a cursor when the last page is full`, async () => {
    await withService(async ({ database, page }) => {
      for (let n = 0; n < 4; n++) await seedAsset(database, { tenant: "a", hash: hashOf(`${n}`) });
      const first = await page("a", "limit=2");
      const second = await page("a", "limit=2", first.nextCursor);
      assert.equal(second.assets.length, 2);
      assert.equal(second.nextCursor, null);
      assert.deepEqual(await page("nobody", "limit=2"), { assets: [], nextCursor: null });
    });
  });

  Deno.test(`AssetService.list() on ${name} filters by state and media type, literally`, async () => {
    await withService(async ({ database, page }) => {
      const rows: [string, AssetState, string | null][] = [
        ["png", "READY", "image/png"],
        ["jpeg", "READY", "image/jpeg"],
        ["archived", "ARCHIVED", "image/jpeg"],
        ["text", "READY", "text/plain"],
        ["uploading", "UPLOADING", null],
        ["odd", "READY", "image/p_g"],
      ];
      for (const [text, state, mediaType] of rows) {
        await seedAsset(database, { tenant: "a", hash: hashOf(text), state, mediaType });
      }
      const list = async (query: string) =>
        (await page("a", query)).assets
          .map((asset) => rows.find(([text]) => hashOf(text) === asset.contentHash)![0]).toSorted();
      assert.deepEqual(await list("state=ARCHIVED"), ["archived"]);
      assert.deepEqual(await list("mime=image/jpeg"), ["archived", "jpeg"]);
      assert.deepEqual(await list("mime=image/*&state=READY"), ["jpeg", "odd", "png"]);
      assert.deepEqual(await list("mime=image/p_g"), ["odd"]);
      assert.deepEqual(await list("state=DELETED"), []);
      assert.equal((await list("")).length, rows.length);
    });
  });

  Deno.test(`AssetService.list() on ${name} looks at a bounded number of references per page`, async () => {
    await withService(async ({ database, page }) => {
      await database.transaction(async (sql) => {
        await sql`
          insert into asset_portfolio (content_hash, size_bytes, state, media_type)
          select sha256(n::text::bytea), n, case when n = 4500 then 'MISSING' else 'READY' end,
            'image/png'
          from generate_series(1, 4500) as n`;
        await sql`
          insert into asset_reference (id, tenant, content_hash, created_at)
          select gen_random_uuid(), 'a', sha256(n::text::bytea), now() - n * interval '1 second'
          from generate_series(1, 4500) as n`;
      });
      const sizes: number[] = [];
      let cursor: string | null = null;
      do {
        const { assets, nextCursor } = await page("a", "state=MISSING&limit=10", cursor);
        sizes.push(assets.length);
        cursor = nextCursor;
      } while (cursor !== null);
      assert.deepEqual(sizes, [0, 0, 1]);
      const full = await page("a", "state=READY&limit=10");
      assert.equal(full.assets.length, 10);
    });
  });

  Deno.test(`AssetService.delete() on ${name} keeps content while anybody refers to it`, async () => {
    await withService(async ({ database, service, deleted, stateOf, count }) => {
      const hash = hashOf("shared");
      const ours = await seedAsset(database, { tenant: "a", hash });
      const theirs = await seedAsset(database, { tenant: "b", hash });
      const isNotFound = (error: unknown) => hasCode(error, "asset_not_found");
      await assert.rejects(service.delete("a", { by: "id", id: theirs }, ACTOR), isNotFound);
      await assert.rejects(service.delete("c", { by: "hash", hash }, ACTOR), isNotFound);

      await service.delete("a", { by: "id", id: ours }, ACTOR);
      assert.equal((await stateOf(hash)).state, "READY");
      await assert.rejects(service.get("a", { by: "hash", hash }), isNotFound);
      await assert.rejects(service.delete("a", { by: "id", id: ours }, ACTOR), isNotFound);
      assert.equal((await service.get("b", { by: "hash", hash })).assetId, theirs);
      assert.deepEqual(deleted, []);

      await service.delete("b", { by: "hash", hash }, ACTOR);
      const row = await stateOf(hash);
      assert.equal(row.state, "DELETED");
      assert.equal(row.thumb_hash, null, "a picture of the picture is left");
      assert.equal(row.purged_at, null);
      assert.deepEqual(deleted, [hash]);
      const [event] = await database.read((sql) => sql`select * from asset_event`);
      assert.deepEqual([event.from_state, event.to_state, event.actor], [
        "READY",
        "DELETED",
        "key_test",
      ]);
      const [entry] = await database.read((sql) => sql`select * from purge_outbox`);
      assert.equal(entry.tag, `asset-${hash}`);
      assert.deepEqual(entry.layers, ["object", "memory", "kv", "cdn"]);
      assert.equal(await count("asset_event"), 1);
    });
  });

  Deno.test(`AssetService.delete() on ${name} leaves an upload under way to its owner`, async () => {
    await withService(async ({ database, service, stateOf, count }) => {
      for (const state of ["UPLOADING", "VERIFIED"] as const) {
        const hash = hashOf(state);
        const id = await seedAsset(database, { tenant: "a", hash, state, leaseSeconds: 60 });
        await service.delete("a", { by: "id", id }, ACTOR);
        assert.equal((await stateOf(hash)).state, state);
      }
      for (const state of ["ARCHIVED", "MISSING", "FAILED"] as const) {
        const hash = hashOf(state);
        const id = await seedAsset(database, { tenant: "a", hash, state });
        await service.delete("a", { by: "id", id }, ACTOR);
        assert.equal((await stateOf(hash)).state, "DELETED");
      }
      assert.equal(await count("asset_event"), 3);
      assert.equal(await count("purge_outbox"), 3);
    });
  });

  Deno.test(`AssetService.delete() on ${name} has one winner among many at once`, async () => {
    await withService(async ({ database, service, count, deleted }) => {
      const hash = hashOf("raced");
      const tenants = ["a", "b", "c", "d", "e", "f"];
      for (const tenant of tenants) await seedAsset(database, { tenant, hash });
      const results = await Promise.allSettled(
        [...tenants, ...tenants].map((tenant) =>
          service.delete(tenant, { by: "hash", hash }, ACTOR)
        ),
      );
      assert.equal(results.filter(({ status }) => status === "fulfilled").length, 6);
      assert.deepEqual(deleted, [hash]);
      assert.equal(await count("asset_event"), 1);
      assert.equal(await count("purge_outbox"), 1);
    });
  });

  Deno.test(`DeletedContent on ${name} gives the row of a purge to one attempt at a time`, async () => {
    await withService(async ({ database, removal, stateOf }) => {
      const hash = hashOf("purged");
      await seedAsset(database, { tenant: "a", hash });
      const [first, second] = [crypto.randomUUID(), crypto.randomUUID()];
      const begin = (attemptId: string, leaseMs = 60_000) =>
        removal.begin(hash, { attemptId, leaseMs });
      assert.equal(await begin(first), "nothing", "READY content must not be taken");
      await removal.remove("a", { by: "hash", hash }, ACTOR);
      assert.equal(await begin(first, 1), "taken");
      await new Promise((resolve) => setTimeout(resolve, 10));
      assert.equal(await begin(second), "taken", "a lease that ran out is nobody's");
      assert.equal(await begin(first), "busy");
      assert.equal(await removal.finish(hash, first), false, "a lost lease finishes nothing");
      assert.equal((await stateOf(hash)).purged_at, null);
      assert.equal(await removal.finish(hash, second), true);
      const row = await stateOf(hash);
      assert.ok(row.purged_at instanceof Date);
      assert.equal(row.lease_expires_at, null);
      assert.equal(await begin(first), "nothing");
      assert.equal(
        await removal.begin(hashOf("unknown"), { attemptId: first, leaseMs: 1 }),
        "nothing",
      );
    });
  });
}

function build({ database }: TestDatabase) {
  const directory = createAssetDirectory(database);
  const removal = createAssetRemoval(database);
  const deleted: ContentHash[] = [];
  const assets = createAssetService({
    directory,
    references: removal,
    cursors: createCursorCodec("test"),
  });
  const service: AssetService = {
    ...assets,
    async delete(...given) {
      const removed = await assets.delete(...given);
      if (removed.contentDeleted) deleted.push(removed.contentHash);
      return removed;
    },
  };
  return {
    database,
    directory,
    removal,
    service,
    deleted,
    page(tenant: string, query: string, cursor: string | null = null) {
      const parameters = new URLSearchParams(query);
      if (cursor !== null) parameters.set("cursor", cursor);
      return service.list(tenant, parseListQuery(parameters));
    },
    async stateOf(hash: ContentHash) {
      const [row] = await database.read((sql) =>
        sql`select * from asset_portfolio where content_hash = decode(${hash}, 'hex')`
      );
      return row;
    },
    async count(table: string): Promise<number> {
      const [row] = await database.read((sql) => sql`select count(*) from ${sql(table)}`);
      return row.count;
    },
  };
}
