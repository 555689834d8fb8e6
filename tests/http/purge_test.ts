/** Purging and the focal point, on a real catalog and real KV, with CDNs that are told over HTTP. */
import assert from "node:assert/strict";
import { Hono } from "hono";
import { createCloudflarePurge } from "../../src/adapters/cdn/cloudflare_cdn.ts";
import { createDenoCdnPurge } from "../../src/adapters/cdn/deno_cdn.ts";
import { createKvGuard } from "../../src/adapters/kv/kv_guard.ts";
import { createKvPurgeBus } from "../../src/adapters/kv/kv_purge_bus.ts";
import { createKvRenderLease } from "../../src/adapters/kv/kv_render_lease.ts";
import { createKvVariantCache } from "../../src/adapters/kv/kv_variant_cache.ts";
import { createDeliveryCatalog } from "../../src/adapters/postgres/delivery_catalog.ts";
import type { Database } from "../../src/adapters/postgres/database.ts";
import { createFocalPointStore } from "../../src/adapters/postgres/focal_points.ts";
import { createPurgeOutbox } from "../../src/adapters/postgres/purge_outbox.ts";
import type { Scope } from "../../src/core/principal.ts";
import { parseVariantPresets } from "../../src/core/variant_alias.ts";
import { DEFAULT_ALLOW_LIST } from "../../src/core/variant_spec.ts";
import { createHttpApp } from "../../src/http/app.ts";
import type { HttpEnv } from "../../src/http/http_env.ts";
import { assetVariantRoutes } from "../../src/http/routes/asset_variants.ts";
import { purgeRoutes } from "../../src/http/routes/purge.ts";
import {
  createCdnLayer,
  createMemoryLayer,
  createSharedCacheLayer,
} from "../../src/purge/cache_layers.ts";
import { createPurgeService } from "../../src/purge/purge_service.ts";
import { openTestDatabase } from "../support/test_database.ts";
import { createDeliveryFixture, makeAsset } from "./delivery_fixture.ts";

const PHOTO = makeAsset("a photograph");
const { hash: HASH } = PHOTO.record;
const PATH = `/${HASH}/640x480/80.webp`;
const ASSET_ID = "0190b0a0-0000-7000-8000-000000000001";
const nowMs = () => performance.now();

/** A CDN that remembers what it was told, and fails when it is told to. */
function startCdn() {
  const state = {
    told: [] as { path: string; body: unknown; token: string | null }[],
    status: 200,
  };
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    const token = request.headers.get("authorization");
    state.told.push({ path: pathname, body: await request.json(), token });
    return Response.json({ success: state.status === 200 }, { status: state.status });
  });
  return { state, origin: `http://127.0.0.1:${server.addr.port}`, server };
}

async function addAsset(database: Database, tenants: readonly string[]): Promise<void> {
  await database.write((sql) =>
    sql`
      insert into asset_portfolio (content_hash, size_bytes, state, media_type, width, height)
      values (decode(${HASH}, 'hex'), ${PHOTO.bytes.byteLength}, 'READY', 'image/jpeg', 40, 30)`
  );
  for (const [index, tenant] of tenants.entries()) {
    const id = index === 0 ? ASSET_ID : crypto.randomUUID();
    await database.write((sql) =>
      sql`
        insert into asset_reference (id, tenant, content_hash, created_by)
        values (${id}, ${tenant}, decode(${HASH}, 'hex'), 'key')`
    );
  }
}

async function setUp(tenants: readonly string[] = ["default"]) {
  const { database, close } = await openTestDatabase();
  await addAsset(database, tenants);
  const kv = await Deno.openKv(":memory:");
  const cdn = startCdn();
  const guard = createKvGuard({ nowMs });
  const shared = { kv, guard, rendererVersion: "r1" };
  const cache = createKvVariantCache(shared);
  const leases = createKvRenderLease({ ...shared, instanceId: "a", nowMs });
  const fixture = createDeliveryFixture({ presets: "thumb=320x240/75", cache, leases });
  fixture.add(PHOTO);
  const catalog = createDeliveryCatalog(database);
  fixture.faults.lookup = () => catalog.find(HASH);
  const bus = createKvPurgeBus({ kv, pollMs: 20 });
  const outbox = createPurgeOutbox(database);
  const failures: string[] = [];
  const purges = createPurgeService({
    outbox,
    layers: [
      createSharedCacheLayer(cache),
      createMemoryLayer((hash) => fixture.service.purgeLocal(hash), bus),
      createCdnLayer([
        createDenoCdnPurge(`${cdn.origin}/invalidate/http`),
        createCloudflarePurge({ zoneId: "z1", apiToken: "t1", endpoint: cdn.origin }),
      ]),
    ],
    reportFailure: (layer) => failures.push(layer),
  });
  const authenticator = {
    authenticate: (key: string) =>
      Promise.resolve({
        tenant: "default",
        keyId: key,
        scopes: new Set<Scope>(key.split("-") as Scope[]),
        bytesPerDay: null,
        concurrentUploads: null,
      }),
  };
  const app = createHttpApp({
    newId: () => crypto.randomUUID(),
    nowMs,
    accessLog: undefined,
    logger: { log() {}, flush() {} },
    routes: [
      purgeRoutes({ purges, authenticator }),
      assetVariantRoutes({
        authenticator,
        purges,
        assets: catalog,
        isKnownTo: (tenant) => Promise.resolve(tenants.includes(tenant)),
        focalPoints: createFocalPointStore(database),
        allowList: DEFAULT_ALLOW_LIST,
        presets: parseVariantPresets("thumb=320x240/75"),
        service: fixture.service,
        cache,
        ledger: {
          find: () => Promise.resolve(new Map([["640x480/80.webp", { hits: 7, bytes: 1 }]])),
        },
      }),
      new Hono<HttpEnv>().route("/", fixture.app),
    ],
  });
  const send = (method: string, path: string, body: unknown, key = "admin") =>
    app.request(path, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  return {
    app,
    send,
    fixture,
    cdn: cdn.state,
    kv,
    cache,
    bus,
    database,
    purges,
    failures,
    async [Symbol.asyncDispose]() {
      await fixture.service.settled();
      await cdn.server.shutdown();
      kv.close();
      await close();
    },
  };
}

async function openTasks(database: Database): Promise<{ layers: string[]; attempts: number }[]> {
  const rows = await database.read((sql) =>
    sql<{ layers: string[]; attempts: number }[]>`
      select layers, attempts from purge_outbox where done_at is null`
  );
  return [...rows];
}

Deno.test("purgeRoutes() empties memory, KV and the CDNs, and gives a receipt", async () => {
  await using world = await setUp();
  await world.app.request(PATH);
  await world.app.request(`/${HASH}/320x240/80.webp`);
  await world.fixture.service.settled();
  const heard: unknown[] = [];
  const subscription = world.bus.subscribe((hash) => heard.push(hash));
  await new Promise((resolve) => setTimeout(resolve, 40));
  const response = await world.send("POST", "/v1/admin/purge", { hash: HASH });
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), {
    tag: `asset-${HASH}`,
    contentHash: HASH,
    layers: [
      { layer: "kv", status: "purged", removed: 2 },
      { layer: "memory", status: "purged", removed: 2 },
      { layer: "cdn", status: "purged", removed: null },
    ],
    complete: true,
    retried: false,
  });
  assert.deepEqual(world.cdn.told.map(({ path }) => path).sort(), [
    "/invalidate/http",
    "/zones/z1/purge_cache",
  ]);
  for (const { body } of world.cdn.told) assert.deepEqual(body, { tags: [`asset-${HASH}`] });
  assert.ok(world.cdn.told.some(({ token }) => token === "Bearer t1"));
  while (heard.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(heard, [HASH]);
  await subscription[Symbol.asyncDispose]();
  assert.equal((await world.app.request(PATH)).headers.get("x-cache"), "MISS");
  assert.deepEqual(await openTasks(world.database), []);
});

Deno.test("purgeRoutes() says what could not be purged, and the outbox does it later", async () => {
  await using world = await setUp();
  world.cdn.status = 503;
  const response = await world.send("POST", "/v1/admin/purge", { tag: `asset-${HASH}` });
  assert.equal(response.status, 202);
  const receipt = await response.json();
  assert.equal(receipt.complete, false);
  assert.equal(receipt.retried, true);
  assert.equal(receipt.layers[2].status, "failed");
  assert.deepEqual(await openTasks(world.database), [{ layers: ["cdn"], attempts: 1 }]);
  assert.deepEqual(await world.purges.runPending(), { tried: 0, done: 0 });
  const makeDue = () =>
    world.database.write((sql) => sql`update purge_outbox set next_attempt_at = '-infinity'`);
  await makeDue();
  assert.deepEqual(await world.purges.runPending(), { tried: 1, done: 0 });
  world.cdn.status = 200;
  await makeDue();
  assert.deepEqual(await world.purges.runPending(), { tried: 1, done: 1 });
  assert.deepEqual(await openTasks(world.database), []);
  assert.deepEqual(world.failures, ["cdn", "cdn"]);
});

Deno.test("purgeRoutes() purges a tag of no single asset in CDNs only", async () => {
  await using world = await setUp();
  await world.app.request(PATH);
  const response = await world.send("POST", "/v1/admin/purge", { tag: "variants-r1" });
  const { layers } = await response.json();
  assert.deepEqual(
    layers.map(({ status }: { status: string }) => status),
    ["skipped", "skipped", "purged"],
  );
  assert.deepEqual(world.cdn.told[0].body, { tags: ["variants-r1"] });
  assert.equal((await world.app.request(PATH)).headers.get("x-cache"), "MEMORY");
});

Deno.test("purgeRoutes() works off what a committed change left in the outbox, and keeps objects due", async () => {
  await using world = await setUp();
  await world.database.write((sql) =>
    sql`
      insert into purge_outbox (content_hash, tag, reason, layers)
      values (decode(${HASH}, 'hex'), ${`asset-${HASH}`}, 'deleted',
        '["object", "memory", "kv", "cdn"]'::jsonb)`
  );
  const [receipt] = await world.purges.runFor(HASH);
  assert.equal(receipt.complete, false);
  assert.deepEqual(await openTasks(world.database), [{ layers: ["object"], attempts: 1 }]);
});

Deno.test("purgeRoutes() refuses callers without the scope and bodies that name nothing", async () => {
  await using world = await setUp();
  assert.equal((await world.send("POST", "/v1/admin/purge", {}, "upload-read")).status, 403);
  for (
    const body of [
      {},
      { hash: "x" },
      { tag: "*" },
      { tag: "a,b" },
      { tag: "a b" },
      { hash: HASH, tag: "a" },
      "nonsense",
      "[]",
      "null",
    ]
  ) {
    assert.equal((await world.send("POST", "/v1/admin/purge", body)).status, 400);
  }
  const long = JSON.stringify({ tag: "a".repeat(5_000) });
  assert.equal((await world.send("POST", "/v1/admin/purge", long)).status, 413);
  assert.equal((await world.app.request("/v1/admin/purge")).status, 405);
});

Deno.test("assetVariantRoutes() moves the focal point, its key and what was cached", async () => {
  await using world = await setUp();
  const before = await world.app.request(PATH);
  const focalPoint = { x: 0.25, y: 1 };
  const patch = await world.send("PATCH", `/v1/assets/${ASSET_ID}`, { focalPoint }, "upload");
  assert.equal(patch.status, 200);
  const answer = await patch.json();
  assert.deepEqual(answer.focalPoint, focalPoint);
  assert.equal(answer.purges[0].complete, true);
  const after = await world.app.request(PATH);
  assert.equal(after.headers.get("x-cache"), "MISS");
  assert.notEqual(after.headers.get("etag"), before.headers.get("etag"));
  assert.deepEqual(world.fixture.renders.at(-1)!.focal, focalPoint);
  await world.send("PATCH", `/v1/assets/${ASSET_ID}`, { focalPoint: null }, "upload");
  const back = await world.app.request(PATH);
  assert.equal(back.headers.get("etag"), before.headers.get("etag"));
});

Deno.test("assetVariantRoutes() refuses focal points that are none, and assets of others", async () => {
  await using world = await setUp();
  const path = `/v1/assets/${ASSET_ID}`;
  for (
    const body of [
      {},
      { focalPoint: {} },
      { focalPoint: { x: 2, y: 0 } },
      { focalPoint: { x: "0", y: 0 } },
      { focalPoint: [0, 0] },
      { focalPoint: null, other: 1 },
    ]
  ) {
    assert.equal((await world.send("PATCH", path, body, "upload")).status, 400);
  }
  const other = `/v1/assets/${crypto.randomUUID()}`;
  assert.equal((await world.send("PATCH", other, { focalPoint: null }, "upload")).status, 404);
  assert.equal((await world.send("PATCH", "/v1/assets/x", { focalPoint: null })).status, 400);
  assert.equal((await world.send("PATCH", path, { focalPoint: null }, "read")).status, 403);
});

Deno.test("assetVariantRoutes() leaves the crops of shared content alone", async () => {
  await using world = await setUp(["default", "other"]);
  const response = await world.send("PATCH", `/v1/assets/${ASSET_ID}`, { focalPoint: null });
  assert.equal(response.status, 409);
});

Deno.test("assetVariantRoutes() lists every allowed variant with what is known of it", async () => {
  await using world = await setUp();
  const reply = await world.app.request(PATH);
  const { byteLength } = await reply.arrayBuffer();
  await world.app.request(`/${HASH}/320x240/80.webp`);
  await world.fixture.service.settled();
  world.fixture.service.purgeLocal(HASH);
  const response = await world.app.request(`/v1/assets/${HASH}/variants`, {
    headers: { authorization: "Bearer read" },
  });
  assert.equal(response.status, 200);
  const { variants, aliases, focalPoint } = await response.json();
  assert.equal(variants.length, 1344);
  assert.equal(focalPoint, null);
  assert.deepEqual(
    aliases.slice(0, 4).map(({ path }: { path: string }) => path),
    ["auto", "webp", "jpg", "png"].map((format) => `/${HASH}/thumb.${format}`),
  );
  // Every size and quality once: the variants by their three formats.
  assert.equal(aliases.length, 4 + 1344 / 3);
  for (const { path } of [aliases[0], aliases[1], aliases.at(-1)]) {
    assert.equal((await world.app.request(path)).status, 302, path);
  }
  const rendered = variants.filter((each: { rendered: boolean }) => each.rendered);
  assert.deepEqual(rendered.map(({ path }: { path: string }) => path).sort(), [
    `/${HASH}/320x240/80.webp`,
    PATH,
  ]);
  const one = variants.find(({ path }: { path: string }) => path === PATH);
  assert.deepEqual(one, {
    path: PATH,
    fit: "cover",
    width: 640,
    height: 480,
    quality: 80,
    format: "webp",
    rendered: true,
    bytes: byteLength,
    hits: 7,
  });
});

Deno.test("assetVariantRoutes() lists nothing of what the caller has not uploaded", async () => {
  await using world = await setUp(["other"]);
  const headers = { authorization: "Bearer read" };
  assert.equal((await world.app.request(`/v1/assets/${HASH}/variants`, { headers })).status, 404);
  assert.equal((await world.app.request("/v1/assets/x/variants", { headers })).status, 400);
});
