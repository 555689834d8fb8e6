import assert from "node:assert/strict";
import { createAssetDirectory } from "../../src/adapters/postgres/asset_directory.ts";
import { createAssetRemoval } from "../../src/adapters/postgres/asset_removal.ts";
import { createAssetService } from "../../src/assets/asset_service.ts";
import { createCursorCodec } from "../../src/assets/list_cursor.ts";
import type { PurgeReceipt, PurgeService } from "../../src/purge/purge_service.ts";
import { assetRoutes } from "../../src/http/routes/assets.ts";
import { hashOf } from "../support/seed_catalog.ts";
import { authenticator, openUploadApp, type UploadApp } from "../support/upload_app.ts";
import { sha256Of } from "../support/upload_world.ts";

const PNG_1X1 = Uint8Array.from(
  atob(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==",
  ),
  (character) => character.charCodeAt(0),
);

const RECEIPT: PurgeReceipt = {
  tag: "asset-x",
  contentHash: null,
  layers: [{ layer: "memory", status: "purged", removed: 3 }],
  complete: true,
  retried: false,
};

async function withApp(
  run: (app: UploadApp, deleted: string[], postponed: string[]) => Promise<void>,
  runFor: PurgeService["runFor"] = () => Promise.resolve([RECEIPT]),
): Promise<void> {
  const deleted: string[] = [];
  const postponed: string[] = [];
  await using app = await openUploadApp({
    more: ({ world: { database } }) => [
      assetRoutes({
        authenticator,
        assets: createAssetService({
          directory: createAssetDirectory(database),
          references: createAssetRemoval(database),
          cursors: createCursorCodec("test"),
        }),
        purges: {
          runFor(hash) {
            deleted.push(hash);
            return runFor(hash);
          },
        },
        reportPostponed: (hash) => postponed.push(hash),
      }),
    ],
  });
  await run(app, deleted, postponed);
  assert.deepEqual(app.problems, []);
}

async function upload(app: UploadApp, bytes: Uint8Array, key = "acme") {
  const response = await app.send("/v1/assets", {
    method: "POST",
    body: bytes as Uint8Array<ArrayBuffer>,
    key,
  });
  assert.equal(response.status, 201);
  return await response.json();
}

async function problem(response: Response): Promise<[number, string]> {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  return [response.status, (await response.json()).code];
}

Deno.test("GET /v1/assets/{asset} describes an upload by id and by hash, without URLs", async () => {
  await withApp(async (app) => {
    const uploaded = await upload(app, PNG_1X1);
    const byId = await app.send(`/v1/assets/${uploaded.assetId}`);
    assert.equal(byId.status, 200);
    assert.equal(byId.headers.get("cache-control"), "no-store");
    const asset = await byId.json();
    assert.deepEqual(asset, { ...uploaded, thumbHash: null, dominantColor: null });
    assert.equal(asset.contentHash, sha256Of(PNG_1X1));
    assert.doesNotMatch(JSON.stringify(asset), /https?:|\/v1\//);
    const byHash = await app.send(`/v1/assets/${asset.contentHash}`);
    assert.deepEqual(await byHash.json(), asset);

    await app.world.database.write((sql) =>
      sql`update asset_portfolio set thumb_hash = '\\x0102fe', dominant_color = '#0a0b0c'`
    );
    const described = await (await app.send(`/v1/assets/${asset.assetId}`)).json();
    assert.equal(described.thumbHash, "AQL+");
    assert.equal(described.dominantColor, "#0a0b0c");
  });
});

Deno.test("HEAD /v1/assets/{hash} tells whether this caller has it, with no body", async () => {
  await withApp(async (app) => {
    const { contentHash } = await upload(app, PNG_1X1);
    const known = await app.send(`/v1/assets/${contentHash}`, { method: "HEAD" });
    assert.equal(known.status, 200);
    assert.equal(await known.text(), "");
    for (const [key, hash] of [["globex", contentHash], ["acme", hashOf("unknown")]]) {
      const unknown = await app.send(`/v1/assets/${hash}`, { method: "HEAD", key });
      assert.equal(unknown.status, 404);
      assert.equal(await unknown.text(), "");
    }
  });
});

Deno.test("another tenant's asset answers exactly as one that does not exist", async () => {
  await withApp(async (app) => {
    const { assetId, contentHash } = await upload(app, PNG_1X1);
    const shape = async (path: string, method: string) => {
      const response = await app.send(path, { method, key: "globex" });
      const { instance: _instance, ...body } = await response.json();
      const headers = [...response.headers].filter(([name]) => name !== "x-request-id");
      return { status: response.status, headers, body };
    };
    for (const method of ["GET", "DELETE"]) {
      const missing = await shape(`/v1/assets/${crypto.randomUUID()}`, method);
      assert.equal(missing.status, 404);
      assert.deepEqual(await shape(`/v1/assets/${assetId}`, method), missing);
      assert.deepEqual(await shape(`/v1/assets/${contentHash}`, method), missing);
      assert.deepEqual(await shape(`/v1/assets/${hashOf("unknown")}`, method), missing);
    }
    assert.equal((await app.send(`/v1/assets/${assetId}`)).status, 200);
    const list = await (await app.send("/v1/assets", { key: "globex" })).json();
    assert.deepEqual(list, { assets: [], nextCursor: null });
  });
});

Deno.test("GET /v1/assets pages through a tenant's assets; its cursor is good for nothing else", async () => {
  await withApp(async (app) => {
    for (let n = 0; n < 3; n++) await upload(app, new TextEncoder().encode(`file ${n}`));
    const first = await (await app.send("/v1/assets?limit=2")).json();
    assert.equal(first.assets.length, 2);
    const rest = await (await app.send(`/v1/assets?limit=2&cursor=${first.nextCursor}`)).json();
    assert.equal(rest.assets.length, 1);
    assert.equal(rest.nextCursor, null);
    const hashes = [...first.assets, ...rest.assets].map((asset) => asset.contentHash);
    assert.deepEqual(
      hashes.toSorted(),
      [0, 1, 2].map((n) => sha256Of(new TextEncoder().encode(`file ${n}`))).toSorted(),
    );
    for (
      const [query, key] of [
        [`cursor=${first.nextCursor}&state=READY`, "acme"],
        [`cursor=${first.nextCursor}`, "globex"],
        [`cursor=${first.nextCursor.slice(0, -1)}x`, "acme"],
        ["cursor=", "acme"],
        ["cursor=%00", "acme"],
      ]
    ) {
      const response = await app.send(`/v1/assets?${query}`, { key });
      assert.deepEqual(await problem(response), [400, "invalid_cursor"]);
    }
  });
});

Deno.test("GET /v1/assets refuses filters and limits that are none", async () => {
  await withApp(async (app) => {
    for (const query of ["state=ready", "mime=%25", "mime=image/%00", "limit=0", "limit=201"]) {
      const response = await app.send(`/v1/assets?${query}`);
      assert.deepEqual(await problem(response), [400, "invalid_request"], query);
    }
    for (const asset of ["x", "%00", "..%2f..", "A".repeat(64), "0".repeat(65)]) {
      const response = await app.send(`/v1/assets/${asset}`);
      assert.deepEqual(await problem(response), [400, "invalid_id"], asset);
    }
  });
});

Deno.test("DELETE /v1/assets/{id} takes only the caller's reference, and the last takes the content", async () => {
  await withApp(async (app, deleted) => {
    const ours = await upload(app, PNG_1X1);
    const theirs = await upload(app, PNG_1X1, "globex");
    assert.notEqual(ours.assetId, theirs.assetId);
    const drop = (id: string, key: string) =>
      app.send(`/v1/assets/${id}`, { method: "DELETE", key });

    assert.deepEqual(await problem(await drop(ours.assetId, "reader")), [403, "missing_scope"]);
    const first = await drop(ours.assetId, "acme");
    assert.equal(first.status, 204);
    assert.equal(await first.text(), "");
    assert.equal((await drop(ours.assetId, "acme")).status, 404);
    assert.equal((await app.send(`/v1/assets/${theirs.assetId}`, { key: "globex" })).status, 200);
    assert.deepEqual(deleted, []);

    const last = await drop(theirs.assetId, "globex");
    assert.equal(last.status, 200);
    assert.equal(last.headers.get("cache-control"), "no-store");
    assert.deepEqual(await last.json(), { contentHash: ours.contentHash, purges: [RECEIPT] });
    assert.deepEqual(deleted, [ours.contentHash]);
  });
});

Deno.test("DELETE /v1/assets/{id} answers 202 while some of what was deleted is still to be purged", async () => {
  const drop = async (app: UploadApp) => {
    const { assetId } = await upload(app, PNG_1X1);
    return await app.send(`/v1/assets/${assetId}`, { method: "DELETE" });
  };
  await withApp(async (app) => {
    const response = await drop(app);
    assert.equal(response.status, 202);
    assert.equal((await response.json()).purges[0].retried, true);
  }, () => Promise.resolve([RECEIPT, { ...RECEIPT, complete: false, retried: true }].reverse()));
  await withApp(async (app, deleted, postponed) => {
    const response = await drop(app);
    assert.equal(response.status, 202);
    assert.deepEqual((await response.json()).purges, []);
    assert.deepEqual(postponed, deleted);
    assert.equal(postponed.length, 1);
  }, () => Promise.reject(new Error("the catalog is down")));
});

Deno.test("the asset routes demand a key with the scope, and name the methods that there are", async () => {
  await withApp(async (app) => {
    const path = `/v1/assets/${crypto.randomUUID()}`;
    for (const [where, method] of [["/v1/assets", "GET"], [path, "GET"], [path, "DELETE"]]) {
      const response = await app.send(where, { method, key: null });
      assert.deepEqual(await problem(response), [401, "unauthorized"]);
      assert.match(response.headers.get("www-authenticate")!, /^Bearer /);
    }
    const patched = await app.send(path, { method: "PATCH" });
    assert.equal(patched.headers.get("allow"), "GET, HEAD, PUT, DELETE, OPTIONS");
    assert.deepEqual(await problem(patched), [405, "method_not_allowed"]);
    const dropped = await app.send("/v1/assets", { method: "DELETE" });
    assert.equal(dropped.headers.get("allow"), "GET, HEAD, POST, OPTIONS");
    assert.equal(dropped.status, 405);
  });
});
