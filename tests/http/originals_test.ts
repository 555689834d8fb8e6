import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";
import { createDeliveryFixture, makeAsset } from "./delivery_fixture.ts";

const PHOTO = makeAsset("0123456789", { fileName: "photo.jpg" });
const PATH = `/${PHOTO.record.hash}`;
const ETAG = `"${PHOTO.record.hash}"`;

function fixtureWithPhoto() {
  const fixture = createDeliveryFixture();
  fixture.add(PHOTO);
  return fixture;
}

Deno.test("originalRoutes() sends the original with digests and safe headers", async () => {
  const { app } = fixtureWithPhoto();
  const response = await app.request(PATH);
  assert.equal(response.status, 200);
  const digest = `sha-256=:${createHash("sha256").update(PHOTO.bytes).digest("base64")}:`;
  const expected = {
    "content-type": "image/jpeg",
    "content-length": "10",
    "content-disposition": 'inline; filename="photo.jpg"',
    "content-digest": digest,
    "repr-digest": digest,
    "etag": ETAG,
    "accept-ranges": "bytes",
    "cache-control": "public, max-age=31536000, immutable, stale-while-revalidate=86400",
    "cache-tag": `asset-${PHOTO.record.hash}`,
    "deno-cache-tag": `asset-${PHOTO.record.hash}`,
    "deno-cache-id": "originals",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "cross-origin",
    "access-control-allow-origin": "*",
  };
  for (const [name, value] of Object.entries(expected)) {
    assert.equal(response.headers.get(name), value, name);
  }
  assert.equal(await response.text(), "0123456789");
});

Deno.test("originalRoutes() answers HEAD from the catalog alone", async () => {
  const { app, reads } = fixtureWithPhoto();
  const response = await app.request(PATH, { method: "HEAD", headers: { range: "bytes=0-1" } });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-length"), "10");
  assert.equal(reads.length, 0);
});

Deno.test("originalRoutes() sends the range that was asked for", async () => {
  const { app } = fixtureWithPhoto();
  const cases = {
    "bytes=0-0": ["0", "bytes 0-0/10"],
    "bytes=2-5": ["2345", "bytes 2-5/10"],
    "bytes=7-": ["789", "bytes 7-9/10"],
    "bytes=-3": ["789", "bytes 7-9/10"],
    "bytes=5-99": ["56789", "bytes 5-9/10"],
    "bytes=-99": ["0123456789", "bytes 0-9/10"],
  };
  for (const [range, [body, contentRange]] of Object.entries(cases)) {
    const response = await app.request(PATH, { headers: { range } });
    assert.equal(response.status, 206, range);
    assert.equal(await response.text(), body);
    assert.equal(response.headers.get("content-range"), contentRange);
    assert.equal(response.headers.get("content-length"), String(body.length));
    assert.equal(response.headers.get("content-digest"), null);
    assert.ok(response.headers.get("repr-digest"));
  }
});

Deno.test("originalRoutes() answers 416 to ranges outside, and 200 to malformed and many", async () => {
  const { app, reads } = fixtureWithPhoto();
  for (const range of ["bytes=10-", "bytes=99-100", "bytes=-0"]) {
    const response = await app.request(PATH, { headers: { range } });
    assert.equal(response.status, 416, range);
    assert.equal(response.headers.get("content-range"), "bytes */10");
    assert.equal(response.headers.get("cache-control"), "no-store");
  }
  assert.equal(reads.length, 0);
  const many = "bytes=" + Array.from({ length: 1000 }, (_, i) => `${i}-${i}`).join(",");
  for (const range of ["bytes=5-2", "bytes=a-b", "items=0-1", "bytes=0-1,3-4", many]) {
    const response = await app.request(PATH, { headers: { range } });
    assert.equal(response.status, 200, range.slice(0, 20));
    assert.equal(await response.text(), "0123456789");
  }
});

Deno.test("originalRoutes() honours If-Range for its own strong tag only", async () => {
  const { app } = fixtureWithPhoto();
  const cases = [
    [ETAG, 206],
    [`W/${ETAG}`, 200],
    ['"other"', 200],
    ["Sun, 22 Nov 2026 21:00:00 GMT", 200],
  ] as const;
  for (const [ifRange, status] of cases) {
    const headers = { range: "bytes=0-1", "if-range": ifRange };
    assert.equal((await app.request(PATH, { headers })).status, status, ifRange);
  }
});

Deno.test("originalRoutes() evaluates preconditions in the order of RFC 9110", async () => {
  const { app, reads } = fixtureWithPhoto();
  const cases = [
    [{ "if-none-match": ETAG }, 304],
    [{ "if-none-match": "*" }, 304],
    [{ "if-match": '"other"' }, 412],
    [{ "if-match": '"other"', "if-none-match": ETAG }, 412],
    [{ "if-match": `W/${ETAG}` }, 412],
    [{ "if-none-match": ETAG, range: "bytes=0-1" }, 304],
  ] as const;
  for (const [headers, status] of cases) {
    const response = await app.request(PATH, { headers: { ...headers } });
    assert.equal(response.status, status, JSON.stringify(headers));
  }
  assert.equal(reads.length, 0);
  for (const headers of [{ "if-match": ETAG }, { "if-match": "*" }, { "if-none-match": '"a"' }]) {
    assert.equal((await app.request(PATH, { headers })).status, 200);
  }
});

Deno.test("originalRoutes() sandboxes what a browser might run", async () => {
  for (
    const mediaType of [
      "image/svg+xml",
      "text/html",
      "application/xml",
      "application/pdf",
      "text/plain",
      null,
      "image/jpeg\r\nx: y",
    ]
  ) {
    const fixture = createDeliveryFixture();
    const asset = makeAsset("<svg onload=alert(1)>", { mediaType });
    fixture.add(asset);
    const response = await fixture.app.request(`/${asset.record.hash}`);
    assert.match(response.headers.get("content-security-policy")!, /sandbox/);
    assert.equal(response.headers.get("content-disposition"), "attachment");
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    if (mediaType === null || mediaType.includes("\n")) {
      assert.equal(response.headers.get("content-type"), "application/octet-stream");
    }
  }
});

Deno.test("originalRoutes() breaks off when the store gives fewer bytes than it announced", async () => {
  const fixture = fixtureWithPhoto();
  fixture.faults.open = () =>
    Promise.resolve({
      body: ReadableStream.from([PHOTO.bytes.subarray(0, 4)]),
      lengthBytes: 10,
      sizeBytes: 10,
    });
  const server = Deno.serve({ port: 0, onListen() {} }, fixture.app.fetch);
  try {
    // The connection may break before or after the headers have been read.
    await assert.rejects(async () => {
      const response = await fetch(`http://localhost:${server.addr.port}${PATH}`);
      await response.arrayBuffer();
    }, TypeError);
  } finally {
    await server.shutdown();
  }
});

Deno.test("originalRoutes() answers 502 when the stored object has another size", async () => {
  const fixture = fixtureWithPhoto();
  let cancelled = false;
  fixture.faults.open = () =>
    Promise.resolve({
      body: new ReadableStream({ cancel: () => void (cancelled = true) }),
      lengthBytes: 9,
      sizeBytes: 9,
    });
  const response = await fixture.app.request(PATH);
  assert.equal(response.status, 502);
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.ok(cancelled);
});

Deno.test("originalRoutes() streams a large original without holding it", async () => {
  const fixture = createDeliveryFixture();
  const chunk = Buffer.alloc(64 * 1024, 7);
  const sizeBytes = 512 * chunk.byteLength;
  const asset = makeAsset("large", { sizeBytes, mediaType: "video/mp4" });
  fixture.add(asset);
  let pulled = 0;
  let cancelled = false;
  fixture.faults.open = () =>
    Promise.resolve({
      body: new ReadableStream<Uint8Array>({
        pull(controller) {
          pulled++;
          controller.enqueue(new Uint8Array(chunk));
        },
        cancel: () => void (cancelled = true),
      }, { highWaterMark: 0 }),
      lengthBytes: sizeBytes,
      sizeBytes,
    });
  const response = await fixture.app.request(`/${asset.record.hash}`);
  const reader = response.body!.getReader();
  await reader.read();
  assert.ok(pulled <= 3, `pulled ${pulled} chunks for one read`);
  await reader.cancel();
  assert.ok(cancelled);
});

Deno.test("originalRoutes() answers missing, archived and deleted originals", async () => {
  const cases = [
    [{ state: "DELETED" }, 410],
    [{ state: "ARCHIVED" }, 409],
    [{ state: "MISSING" }, 404],
    [{ state: "VERIFIED" }, 404],
  ] as const;
  for (const [record, status] of cases) {
    const fixture = createDeliveryFixture();
    fixture.add(makeAsset("0123456789", record));
    assert.equal((await fixture.app.request(PATH)).status, status);
  }
  const fixture = fixtureWithPhoto();
  fixture.faults.open = () => Promise.resolve(null);
  assert.equal((await fixture.app.request(PATH)).status, 404);
  assert.deepEqual(fixture.reportedMissing, [PHOTO.record.hash]);
});
