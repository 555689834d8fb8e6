import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { AppError } from "../../src/errors.ts";
import {
  catalogDown,
  createDeliveryFixture,
  type DeliveryFixture,
  makeAsset,
} from "./delivery_fixture.ts";

const PHOTO = makeAsset("a photograph");
const PATH = `/${PHOTO.record.hash}/640x480/80.webp`;

function fixtureWithPhoto(options?: Parameters<typeof createDeliveryFixture>[0]): DeliveryFixture {
  const fixture = createDeliveryFixture(options);
  fixture.add(PHOTO);
  return fixture;
}

async function problemOf(response: Response): Promise<Record<string, unknown>> {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  return await response.json();
}

Deno.test("variantRoutes() answers a variant with every header of the contract", async () => {
  const { app } = fixtureWithPhoto();
  const response = await app.request(PATH);
  const body = await response.arrayBuffer();
  assert.equal(response.status, 200);
  const tag = `asset-${PHOTO.record.hash}`;
  const expected = {
    "content-type": "image/webp",
    "content-length": String(body.byteLength),
    "etag": `"${PHOTO.record.hash.slice(0, 16)}-640x480/80.webp-r1"`,
    "cache-control": "public, max-age=31536000, immutable, stale-while-revalidate=86400",
    "deno-cdn-cache-control": "public, s-maxage=31536000, stale-while-revalidate=86400",
    "deno-cache-id": "variants-r1",
    "deno-cache-tag": tag,
    "cache-tag": tag,
    "x-cache": "MISS",
    "x-cache-lock": "leader",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "cross-origin",
    "access-control-allow-origin": "*",
    "timing-allow-origin": "*",
  };
  for (const [name, value] of Object.entries(expected)) {
    assert.equal(response.headers.get(name), value, name);
  }
  assert.match(response.headers.get("server-timing")!, /decode;dur=1\.00, encode;dur=2\.00/);
});

Deno.test("variantRoutes() renders once and answers from memory without the catalog", async () => {
  const { app, renders, lookups } = fixtureWithPhoto();
  const first = await app.request(PATH);
  const second = await app.request(PATH);
  assert.equal(second.headers.get("x-cache"), "MEMORY");
  assert.equal(second.headers.get("x-cache-lock"), "none");
  assert.deepEqual(await second.arrayBuffer(), await first.arrayBuffer());
  assert.equal(renders.length, 1);
  assert.equal(lookups.length, 1);
});

Deno.test("variantRoutes() answers If-None-Match with 304 before any work", async () => {
  const { app, renders, lookups } = fixtureWithPhoto();
  const etag = `"${PHOTO.record.hash.slice(0, 16)}-640x480/80.webp-r1"`;
  for (const header of [etag, `W/${etag}`, `"other", ${etag}`]) {
    const response = await app.request(PATH, { headers: { "if-none-match": header } });
    assert.equal(response.status, 304);
    assert.equal(response.headers.get("etag"), etag);
    assert.match(response.headers.get("cache-control")!, /immutable/);
    assert.equal((await response.arrayBuffer()).byteLength, 0);
  }
  assert.equal(renders.length + lookups.length, 0);
});

Deno.test("variantRoutes() renders when If-None-Match names another representation", async () => {
  const { app } = fixtureWithPhoto();
  const etag = `"${PHOTO.record.hash.slice(0, 16)}-640x480/80.webp-r0"`;
  const response = await app.request(PATH, { headers: { "if-none-match": etag } });
  assert.equal(response.status, 200);
});

Deno.test("variantRoutes() answers If-None-Match: * only for what exists", async () => {
  const { app } = fixtureWithPhoto();
  const headers = { "if-none-match": "*" };
  assert.equal((await app.request(PATH, { headers })).status, 304);
  const unknown = `/${"0".repeat(64)}/640x480/80.webp`;
  assert.equal((await app.request(unknown, { headers })).status, 404);
});

Deno.test("variantRoutes() answers HEAD like GET without a body, and renders once for both", async () => {
  const { app, renders } = fixtureWithPhoto();
  const head = await app.request(PATH, { method: "HEAD" });
  const get = await app.request(PATH);
  assert.equal(head.status, 200);
  assert.equal((await head.arrayBuffer()).byteLength, 0);
  for (const name of ["content-length", "content-type", "etag", "cache-control"]) {
    assert.equal(head.headers.get(name), get.headers.get(name), name);
  }
  await app.request(PATH, { method: "HEAD" });
  assert.equal(renders.length, 1);
});

Deno.test("variantRoutes() refuses every second spelling of a variant", async () => {
  const { app, renders, lookups } = fixtureWithPhoto();
  const { hash } = PHOTO.record;
  const spellings = [
    `/${hash.toUpperCase()}/640x480/80.webp`,
    `/${hash}/0640x480/80.webp`,
    `/${hash}/640x480/080.webp`,
    `/${hash}/+640x480/80.webp`,
    `/${hash}/640X480/80.webp`,
    `/${hash}/640x480/80.WEBP`,
    `/${hash}/640x480/80.jpeg`,
    `/${hash}/640x480/80.avif`,
    `/${hash}/640x480-cover/80.webp`,
    `/${hash}/640x-inside/80.webp`,
    `/${hash}//640x480/80.webp`,
    `/${hash}/640x480//80.webp`,
    `/${hash}/640x480/80.webp/`,
    `/${hash}/640x480;a=b/80.webp`,
    `/${hash}/%3640x480/80.webp`,
    `/${hash}/640x480%2F80.webp`,
    `/${hash}/x/80.webp`,
    `/${hash}/640x480/80`,
    `/${hash}/640x480/8e1.webp`,
    `/${hash}/640x480/80.webp%00`,
  ];
  for (const path of spellings) {
    const response = await app.request(path);
    assert.equal(response.status, 400, path);
    assert.ok(["malformed_variant", "invalid_hash"].includes(
      String((await problemOf(response)).code),
    ));
  }
  for (
    const path of [
      `/${hash}/`,
      `//${hash}/640x480/80.webp`,
      `/${hash.slice(1)}/640x480/80.webp`,
      "/a/b/c",
    ]
  ) {
    assert.equal((await app.request(path)).status, 404, path);
  }
  const encoded = `/%${hash.charCodeAt(0).toString(16)}${hash.slice(1)}/640x480/80.webp`;
  assert.ok([400, 404].includes((await app.request(encoded)).status));
  assert.equal(renders.length + lookups.length, 0);
});

Deno.test("variantRoutes() answers 400 out of range and 403 off the list with the nearest", async () => {
  const { app, lookups } = fixtureWithPhoto();
  for (const variant of ["9x480/80.webp", "640x4097/80.webp", "640x480/9.webp", "0x480/80.webp"]) {
    const response = await app.request(`/${PHOTO.record.hash}/${variant}`);
    assert.equal(response.status, 400, variant);
    assert.equal((await problemOf(response)).code, "variant_out_of_range");
  }
  const response = await app.request(`/${PHOTO.record.hash}/600x500/82.webp`);
  assert.equal(response.status, 403);
  assert.equal(response.headers.get("cache-control"), "public, max-age=300");
  const problem = await problemOf(response);
  assert.equal(problem.code, "variant_not_allowed");
  assert.equal(problem.nearest, "640x480/80.webp");
  assert.equal(lookups.length, 0);
});

Deno.test("variantRoutes() ignores unknown query strings", async () => {
  const { app, renders } = fixtureWithPhoto();
  await app.request(PATH);
  for (const query of ["?v=2", "?w=10&h=10", "?sig=abc&exp=1", "?"]) {
    assert.equal((await app.request(PATH + query)).headers.get("x-cache"), "MEMORY", query);
  }
  assert.equal(renders.length, 1);
});

Deno.test("variantRoutes() renders every option of the grammar as named", async () => {
  const fixture = fixtureWithPhoto();
  const focal = { x: 0.5, y: 0.5 };
  const cases = {
    "640x480/80.jpg": { width: 640, height: 480, fit: "cover", quality: 80, format: "jpg" },
    "640x480-contain/80.png": {
      width: 640,
      height: 480,
      fit: "contain",
      quality: 100,
      format: "png",
    },
    "640x480-inside/80.webp": {
      width: 640,
      height: 480,
      fit: "inside",
      quality: 80,
      format: "webp",
    },
    "640x/80.webp": { width: 640, height: 4096, fit: "inside", quality: 80, format: "webp" },
    "x480/80.webp": { width: 4096, height: 480, fit: "inside", quality: 80, format: "webp" },
  };
  for (const [variant, spec] of Object.entries(cases)) {
    assert.equal((await fixture.app.request(`/${PHOTO.record.hash}/${variant}`)).status, 200);
    assert.deepEqual(fixture.renders.at(-1), { ...spec, focal }, variant);
  }
});

Deno.test("variantRoutes() keeps one PNG for all qualities", async () => {
  const { app, renders } = fixtureWithPhoto();
  await app.request(`/${PHOTO.record.hash}/640x480/80.png`);
  const other = await app.request(`/${PHOTO.record.hash}/640x480/90.png`);
  assert.equal(other.headers.get("x-cache"), "MEMORY");
  assert.equal(renders.length, 1);
});

Deno.test("variantRoutes() answers other methods with 405 and OPTIONS with 204", async () => {
  const { app } = fixtureWithPhoto();
  for (const path of [PATH, `/${PHOTO.record.hash}`]) {
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      const response = await app.request(path, { method });
      assert.equal(response.status, 405);
      assert.equal(response.headers.get("allow"), "GET, HEAD, OPTIONS");
    }
    const overridden = await app.request(path, {
      method: "POST",
      headers: { "x-http-method-override": "GET" },
    });
    assert.equal(overridden.status, 405);
    const options = await app.request(path, { method: "OPTIONS" });
    assert.equal(options.status, 204);
    assert.equal(options.headers.get("access-control-allow-methods"), "GET, HEAD, OPTIONS");
  }
});

Deno.test("variantRoutes() answers every state of an asset as the contract says", async () => {
  const states = [
    [{ state: "UPLOADING" }, 404, "asset_not_found", "public, max-age=5"],
    [{ state: "FAILED" }, 404, "asset_not_found", "public, max-age=5"],
    [{ state: "DELETED" }, 410, "asset_deleted", "public, max-age=5"],
    [{ state: "MISSING" }, 404, "asset_missing", "public, max-age=5"],
    [{ state: "ARCHIVED" }, 409, "asset_archived", "no-store"],
    [{ flagged: "size_mismatch" }, 404, "asset_missing", "public, max-age=5"],
    [{ visibility: "private" }, 404, "asset_not_found", "public, max-age=5"],
    [{ mediaType: "text/html" }, 415, "not_an_image", "public, max-age=300"],
    [{ sizeBytes: 2 ** 30 }, 422, "image_budget_exceeded", "public, max-age=300"],
  ] as const;
  for (const [record, status, code, cacheControl] of states) {
    const fixture = createDeliveryFixture();
    fixture.add(makeAsset("a photograph", record));
    const response = await fixture.app.request(PATH);
    assert.equal(response.status, status, JSON.stringify(record));
    assert.equal(response.headers.get("cache-control"), cacheControl);
    assert.equal((await problemOf(response)).code, code);
    assert.equal(fixture.renders.length, 0);
  }
});

Deno.test("variantRoutes() says when to come back while an archived asset is restored", async () => {
  const fixture = createDeliveryFixture();
  fixture.add(makeAsset("a photograph", { state: "ARCHIVED", restoreRequestedAt: new Date() }));
  const response = await fixture.app.request(PATH);
  assert.equal(response.status, 409);
  assert.equal(response.headers.get("retry-after"), "300");
});

Deno.test("variantRoutes() reports an asset whose bytes are gone", async () => {
  const fixture = fixtureWithPhoto();
  fixture.faults.open = () => Promise.resolve(null);
  const response = await fixture.app.request(PATH);
  assert.equal(response.status, 404);
  assert.equal((await problemOf(response)).code, "asset_missing");
  assert.deepEqual(fixture.reportedMissing, [PHOTO.record.hash]);
});

Deno.test("variantRoutes() answers 502 to a short source, keeps nothing, and recovers", async () => {
  const fixture = fixtureWithPhoto();
  fixture.faults.open = () =>
    Promise.resolve({
      body: ReadableStream.from([PHOTO.bytes.subarray(0, 5)]),
      lengthBytes: PHOTO.bytes.byteLength,
      sizeBytes: PHOTO.bytes.byteLength,
    });
  const broken = await fixture.app.request(PATH);
  assert.equal(broken.status, 502);
  assert.equal(broken.headers.get("cache-control"), "no-store");
  assert.equal(fixture.renders.length, 0);
  delete fixture.faults.open;
  assert.equal((await fixture.app.request(PATH)).status, 200);
});

Deno.test("variantRoutes() passes the renderer's failures on and keeps none of the passing ones", async () => {
  for (
    const [code, status] of [
      ["render_queue_full", 503],
      ["render_timeout", 504],
      ["internal_error", 500],
    ] as const
  ) {
    const fixture = fixtureWithPhoto();
    fixture.faults.render = () => Promise.reject(new AppError(code, "It failed"));
    const failed = await fixture.app.request(PATH);
    assert.equal(failed.status, status);
    assert.equal(failed.headers.get("cache-control"), "no-store");
    delete fixture.faults.render;
    assert.equal((await fixture.app.request(PATH)).status, 200);
  }
});

Deno.test("variantRoutes() decodes a broken image once, whatever variants are asked for", async () => {
  const fixture = fixtureWithPhoto();
  fixture.faults.render = () => Promise.reject(new AppError("image_undecodable", "It is broken"));
  for (const variant of ["640x480/80.webp", "320x240/80.webp", "640x/50.jpg"]) {
    const response = await fixture.app.request(`/${PHOTO.record.hash}/${variant}`);
    assert.equal(response.status, 422);
    assert.equal(response.headers.get("cache-control"), "public, max-age=300");
  }
  assert.equal(fixture.renders.length, 1);
});

Deno.test("variantRoutes() forgets an unknown hash at once when it is uploaded here", async () => {
  const fixture = createDeliveryFixture();
  assert.equal((await fixture.app.request(PATH)).status, 404);
  fixture.add(PHOTO);
  assert.equal((await fixture.app.request(PATH)).status, 404);
  assert.equal(fixture.lookups.length, 1);
  fixture.service.forget(PHOTO.record.hash);
  assert.equal((await fixture.app.request(PATH)).status, 200);
});

Deno.test("variantRoutes() forgets an unknown hash after seconds when it is uploaded elsewhere", async () => {
  const fixture = createDeliveryFixture();
  assert.equal((await fixture.app.request(PATH)).status, 404);
  fixture.add(PHOTO);
  fixture.clock.nowMs += 3_001;
  assert.equal((await fixture.app.request(PATH)).status, 200);
});

Deno.test("variantRoutes() serves what it holds while the catalog is down", async () => {
  const fixture = fixtureWithPhoto();
  await fixture.app.request(PATH);
  fixture.faults.lookup = catalogDown;
  fixture.clock.nowMs += 24 * 3_600_000;
  const held = await fixture.app.request(PATH);
  assert.equal(held.status, 200);
  assert.equal(held.headers.get("x-cache"), "MEMORY");
  const other = makeAsset("another photograph");
  fixture.add(other);
  const cold = await fixture.app.request(`/${other.record.hash}/640x480/80.webp`);
  assert.equal(cold.status, 503);
  assert.ok(Number(cold.headers.get("retry-after")) > 0);
});

Deno.test("variantRoutes() notices beside the requests that an asset was deleted elsewhere", async () => {
  const fixture = fixtureWithPhoto();
  await fixture.app.request(PATH);
  fixture.add(makeAsset("a photograph", { state: "DELETED" }));
  fixture.clock.nowMs += 60_001;
  assert.equal((await fixture.app.request(PATH)).headers.get("x-cache"), "MEMORY");
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal((await fixture.app.request(PATH)).status, 410);
  assert.equal(fixture.lookups.length, 2);
});

Deno.test("variantRoutes() empties memory on a purge, also of a render under way", async () => {
  const fixture = fixtureWithPhoto();
  const { promise, resolve } = Promise.withResolvers<Uint8Array>();
  fixture.faults.render = () => promise;
  const pending = fixture.app.request(PATH);
  while (fixture.renders.length === 0) await new Promise((r) => setTimeout(r, 1));
  fixture.service.purgeLocal(PHOTO.record.hash);
  resolve(Buffer.from("old pixels"));
  assert.equal((await pending).status, 200);
  const key = { hash: PHOTO.record.hash, variant: "640x480/80.webp" };
  assert.equal(fixture.service.peekBytes(key), null);
});

Deno.test("variantRoutes() changes key and entity tag with the focal point", async () => {
  const fixture = fixtureWithPhoto();
  const centred = await fixture.app.request(PATH);
  fixture.add(makeAsset("a photograph", { focus: { x: 0.25, y: 0.5 } }));
  fixture.service.purgeLocal(PHOTO.record.hash);
  const etag = centred.headers.get("etag")!;
  await fixture.app.request(`/${PHOTO.record.hash}/320x240/80.webp`);
  const moved = await fixture.app.request(PATH, { headers: { "if-none-match": etag } });
  assert.equal(moved.status, 200);
  assert.notEqual(moved.headers.get("etag"), etag);
  assert.deepEqual(fixture.renders.at(-1)!.focal, { x: 0.25, y: 0.5 });
  const again = await fixture.app.request(PATH, {
    headers: { "if-none-match": moved.headers.get("etag")! },
  });
  assert.equal(again.status, 304);
});

Deno.test("variantRoutes() renders 500 requests at once as one", async () => {
  const fixture = fixtureWithPhoto();
  fixture.faults.render = async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return Buffer.from("pixels");
  };
  const responses = await Promise.all(Array.from({ length: 500 }, () => fixture.app.request(PATH)));
  const locks = Object.groupBy(responses, (response) => response.headers.get("x-cache-lock")!);
  assert.equal(fixture.renders.length, 1);
  assert.equal(locks.leader?.length, 1);
  assert.equal(locks.waited?.length, 499);
  for (const response of responses) assert.equal(await response.text(), "pixels");
});

Deno.test("variantRoutes() goes on for the others when the client that began the render leaves", async () => {
  const fixture = fixtureWithPhoto();
  const { promise, resolve } = Promise.withResolvers<Uint8Array>();
  fixture.faults.render = () => promise;
  const controller = new AbortController();
  const first = fixture.app.request(
    new Request(`http://localhost${PATH}`, {
      signal: controller.signal,
    }),
  );
  const second = fixture.app.request(PATH);
  while (fixture.renders.length === 0) await new Promise((r) => setTimeout(r, 1));
  controller.abort();
  assert.ok((await first).status >= 400);
  resolve(Buffer.from("pixels"));
  assert.equal((await second).status, 200);
  assert.equal(fixture.renders.length, 1);
});

Deno.test("variantRoutes() aborts a render that nobody waits for any more", async () => {
  const fixture = fixtureWithPhoto();
  const { promise, resolve } = Promise.withResolvers<string>();
  fixture.faults.render = (_source, _spec, signal) =>
    new Promise((_, reject) =>
      signal.addEventListener("abort", () => {
        resolve("aborted");
        reject(signal.reason);
      })
    );
  const controller = new AbortController();
  const request = new Request(`http://localhost${PATH}`, { signal: controller.signal });
  const response = fixture.app.request(request);
  while (fixture.renders.length === 0) await new Promise((r) => setTimeout(r, 1));
  controller.abort();
  assert.equal(await promise, "aborted");
  assert.equal((await response).status, 499);
});

Deno.test("variantRoutes() answers no precondition about an asset that is not there for the caller", async () => {
  const hidden = makeAsset("a private photograph", { visibility: "private" });
  const deleted = makeAsset("a deleted photograph", { state: "DELETED" });
  for (const [asset, status, suffix] of [[hidden, 404, "!private"], [deleted, 410, ""]] as const) {
    const { app, add } = createDeliveryFixture();
    add(asset);
    const { hash } = asset.record;
    const path = `/${hash}/640x480/80.webp`;
    // Asked once before, so that the asset is known.
    assert.equal((await app.request(path)).status, status);
    for (const etag of ["*", `"${hash.slice(0, 16)}-640x480/80.webp${suffix}-r1"`]) {
      const response = await app.request(path, { headers: { "if-none-match": etag } });
      assert.equal(response.status, status, etag);
      assert.doesNotMatch(response.headers.get("cache-control")!, /immutable/);
    }
  }
});

Deno.test("variantRoutes() lets a variant over its budget fail without the others", async () => {
  const fixture = fixtureWithPhoto();
  fixture.faults.render = (_source, spec) =>
    spec.width! > 1000
      ? Promise.reject(new AppError("image_budget_exceeded", "The picture is too large"))
      : Promise.resolve(Buffer.from("pixels"));
  const ask = async (size: string) =>
    (await fixture.app.request(`/${PHOTO.record.hash}/${size}/80.webp`)).status;
  assert.deepEqual([await ask("1920x1080"), await ask("1920x1080")], [422, 422]);
  assert.equal(fixture.renders.length, 1, "the failure is remembered");
  assert.equal(await ask("640x480"), 200);
  assert.equal(await ask("1920x1080"), 422);
  assert.equal(fixture.renders.length, 2);

  fixture.faults.render = () => Promise.reject(new AppError("image_undecodable", "It is broken"));
  assert.deepEqual([await ask("320x240"), await ask("320x480")], [422, 422]);
  assert.equal(fixture.renders.length, 3, "what cannot be decoded fails for all variants");
});
