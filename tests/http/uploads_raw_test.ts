import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { openUploadApp, streamInit, type UploadApp } from "../support/upload_app.ts";
import { bodyOf, brokenBodyOf, MIB, randomFile, sha256Of } from "../support/upload_world.ts";

const ASSETS = "/v1/assets";

async function post(
  at: UploadApp,
  bytes: Uint8Array<ArrayBuffer>,
  options: { key?: string | null; headers?: Record<string, string>; query?: string } = {},
): Promise<Response> {
  return await at.send(`${ASSETS}${options.query ?? ""}`, {
    method: "POST",
    body: bytes,
    ...options,
  });
}

function file(sizeBytes: number): Uint8Array<ArrayBuffer> {
  return randomFile(sizeBytes) as Uint8Array<ArrayBuffer>;
}

function digestOf(bytes: Uint8Array): string {
  return `sha-256=:${Buffer.from(sha256Of(bytes), "hex").toString("base64")}:`;
}

async function codeOf(response: Response): Promise<string> {
  return (await response.json()).code;
}

async function assertNothingKept(at: UploadApp): Promise<void> {
  assert.equal(await at.countObjects("raw/"), 0);
  assert.equal(await at.countObjects("staging/"), 0);
}

Deno.test("uploadRoutes() answers 201 with the facts and no URL, then 200 for the same bytes", async () => {
  await using at = await openUploadApp();
  const bytes = file(5000);
  const created = await post(at, bytes, { headers: { "content-type": "image/jpeg" } });
  assert.equal(created.status, 201);
  const asset = await created.json();
  assert.equal(created.headers.get("location"), `/v1/assets/${asset.assetId}`);
  assert.equal(asset.contentHash, sha256Of(bytes));
  assert.equal(asset.sizeBytes, 5000);
  assert.equal(asset.state, "READY");
  assert.equal(JSON.stringify(asset).includes("http"), false);
  const repeated = await post(at, bytes);
  assert.equal(repeated.status, 200);
  assert.equal((await repeated.json()).assetId, asset.assetId);
  assert.equal(await at.countObjects("raw/"), 1);
  assert.equal(await at.countContents(), 1);
});

Deno.test("uploadRoutes() answers another tenant's same bytes as new, and stores them once", async () => {
  await using at = await openUploadApp();
  const bytes = file(5000);
  const first = await (await post(at, bytes)).json();
  const second = await post(at, bytes, { key: "globex" });
  assert.equal(second.status, 201);
  assert.notEqual((await second.json()).assetId, first.assetId);
  assert.equal(await at.countObjects("raw/"), 1);
});

Deno.test("uploadRoutes() wants a key with the scope upload", async () => {
  await using at = await openUploadApp();
  const anonymous = await post(at, file(10), { key: null });
  assert.equal(anonymous.status, 401);
  assert.match(anonymous.headers.get("www-authenticate") ?? "", /^Bearer/);
  assert.equal((await post(at, file(10), { key: "nobody" })).status, 401);
  const reader = await post(at, file(10), { key: "reader" });
  assert.equal(reader.status, 403);
  assert.match(reader.headers.get("www-authenticate") ?? "", /insufficient_scope/);
  await assertNothingKept(at);
});

Deno.test("uploadRoutes() refuses a declared length over the cap before reading", async () => {
  await using at = await openUploadApp();
  let pulls = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulls++;
      controller.enqueue(new Uint8Array(1024));
    },
  }, { highWaterMark: 0 });
  const response = await at.send(ASSETS, {
    ...streamInit(body),
    headers: { "content-length": String(64 * MIB + 1) },
  });
  assert.equal(response.status, 413);
  const problem = await response.json();
  assert.equal(problem.code, "body_too_large");
  assert.equal(problem.limitBytes, 64 * MIB);
  assert.ok(pulls <= 1, `pulled ${pulls} times`);
});

Deno.test("uploadRoutes() stops a body of unknown length at the cap and keeps nothing", async () => {
  await using at = await openUploadApp();
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += MIB;
      controller.enqueue(new Uint8Array(MIB));
    },
  }, { highWaterMark: 0 });
  const response = await at.send(ASSETS, streamInit(body));
  assert.equal(response.status, 413);
  assert.ok(sent <= 66 * MIB, `took ${sent} bytes`);
  await assertNothingKept(at);
});

Deno.test("uploadRoutes() refuses an empty body, and bodies that end early", async () => {
  await using at = await openUploadApp();
  assert.equal(await codeOf(await post(at, file(0))), "empty_body");
  assert.equal(await codeOf(await at.send(ASSETS, { method: "POST" })), "empty_body");
  const bytes = file(12 * MIB);
  for (const size of [0, 100, 5 * MIB, 12 * MIB - 1]) {
    const broken = await at.send(ASSETS, streamInit(brokenBodyOf(bytes, size)));
    assert.equal(broken.status, 400);
    assert.equal(await codeOf(broken), "incomplete_body");
    const short = await at.send(ASSETS, {
      ...streamInit(bodyOf(bytes.slice(0, size))),
      headers: { "content-length": String(bytes.byteLength) },
    });
    assert.equal(short.status, 400);
  }
  await assertNothingKept(at);
  assert.equal((await post(at, bytes)).status, 201);
});

Deno.test("uploadRoutes() refuses content codings instead of inflating", async () => {
  await using at = await openUploadApp();
  for (const coding of ["gzip", "br", "identity, gzip", "x"]) {
    const response = await post(at, file(10), { headers: { "content-encoding": coding } });
    assert.equal(response.status, 415, coding);
    assert.equal(response.headers.get("accept-encoding"), "identity");
    assert.equal(await codeOf(response), "unsupported_encoding");
  }
  const identity = await post(at, file(10), { headers: { "content-encoding": "Identity" } });
  assert.equal(identity.status, 201);
});

Deno.test("uploadRoutes() verifies Content-Digest and Repr-Digest", async () => {
  await using at = await openUploadApp();
  const bytes = file(20_000);
  for (const name of ["content-digest", "repr-digest"]) {
    const wrong = await post(at, bytes, { headers: { [name]: digestOf(file(1)) } });
    assert.equal(wrong.status, 422, name);
    assert.equal(await codeOf(wrong), "digest_mismatch");
    for (
      const bad of [
        "sha-256=abc",
        "sha-256",
        "sha-256=:AAA=:",
        "SHA-256=:AA==:",
        "=",
        "sha-256=:%:",
      ]
    ) {
      const malformed = await post(at, bytes, { headers: { [name]: bad } });
      assert.equal(malformed.status, 400, bad);
      assert.equal(await codeOf(malformed), "invalid_header");
    }
  }
  await assertNothingKept(at);
  const right = await post(at, bytes, {
    headers: { "content-digest": `unixsum=30637, md5=:AAAA:, ${digestOf(bytes)};a=1` },
  });
  assert.equal(right.status, 201);
  const unknownOnly = await post(at, bytes, { headers: { "repr-digest": "crc32c=:AAAAAA==:" } });
  assert.equal(unknownOnly.status, 200);
});

Deno.test("uploadRoutes() takes the file name from Content-Disposition, else from the query", async () => {
  await using at = await openUploadApp();
  const nameOf = async (options: Parameters<typeof post>[2]) =>
    (await (await post(at, file(100), options)).json()).fileName;
  const disposition = (value: string) => ({ headers: { "content-disposition": value } });
  assert.equal(await nameOf(disposition('attachment; filename="a b.jpg"')), "a b.jpg");
  assert.equal(
    await nameOf(disposition("attachment; filename=x; filename*=UTF-8''%C3%A9t%C3%A9.png")),
    "été.png",
  );
  assert.equal(await nameOf({ query: "?fileName=%C3%A9.jpg" }), "é.jpg");
  assert.equal(await nameOf({}), null);
  const hostile = await nameOf(
    disposition("inline; filename*=UTF-8''..%2F%0D%0A..%5Cetc%2Fpasswd"),
  );
  assert.doesNotMatch(hostile, /[/\\\r\n]/);
  for (
    const bad of [
      "attachment; filename=",
      "attachment; filename*=UTF-8''%FF",
      ";;=",
      'a; filename="x',
    ]
  ) {
    assert.equal((await post(at, file(10), disposition(bad))).status, 400, bad);
  }
  assert.equal((await post(at, file(10), { query: "?fileName=a%00b" })).status, 400);
});

Deno.test("uploadRoutes() PUT answers a hash known to the tenant without reading the body", async () => {
  await using at = await openUploadApp();
  const bytes = file(3000);
  const hash = sha256Of(bytes);
  const { assetId } = await (await post(at, bytes)).json();
  let pulls = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulls++;
      controller.enqueue(new Uint8Array(100));
    },
  }, { highWaterMark: 0 });
  const known = await at.send(`${ASSETS}/${hash}`, { ...streamInit(body), method: "PUT" });
  assert.equal(known.status, 200);
  assert.equal((await known.json()).assetId, assetId);
  assert.ok(pulls <= 1, `pulled ${pulls} times`);
});

Deno.test("uploadRoutes() PUT reveals nothing about what other tenants have", async () => {
  await using at = await openUploadApp();
  const bytes = file(3000);
  const hash = sha256Of(bytes);
  await post(at, bytes, { key: "globex" });
  const unknown = sha256Of(file(10));
  const answers = [];
  const other = file(50);
  for (const each of [hash, unknown]) {
    const response = await at.send(`${ASSETS}/${each}`, { method: "PUT", body: other });
    const { instance: _, ...problem } = await response.json();
    answers.push({ status: response.status, problem });
  }
  assert.deepEqual(answers[0], answers[1]);
  assert.equal(answers[0].status, 422);
  const proved = await at.send(`${ASSETS}/${hash}`, { method: "PUT", body: bytes });
  assert.equal(proved.status, 201);
  assert.equal(await at.countObjects("raw/"), 1);
});

Deno.test("uploadRoutes() PUT keeps nothing of bytes with another hash", async () => {
  await using at = await openUploadApp();
  for (const size of [100, 7 * MIB]) {
    const bytes = file(size);
    const response = await at.send(`${ASSETS}/${sha256Of(file(1))}`, {
      method: "PUT",
      body: bytes,
    });
    assert.equal(response.status, 422);
    assert.equal(await codeOf(response), "digest_mismatch");
  }
  await assertNothingKept(at);
  const contradiction = await at.send(`${ASSETS}/${sha256Of(file(1))}`, {
    method: "PUT",
    body: file(10),
    headers: { "content-digest": digestOf(file(1)) },
  });
  assert.equal(contradiction.status, 422);
  for (const bad of ["abc", sha256Of(file(1)).toUpperCase(), "..%2f..%2fetc"]) {
    const malformed = await at.send(`${ASSETS}/${bad}`, { method: "PUT", body: file(10) });
    assert.equal(malformed.status, 400, bad);
  }
});

Deno.test("uploadRoutes() limits the uploads that a key runs at once", async () => {
  await using at = await openUploadApp();
  const gate = Promise.withResolvers<void>();
  const bytes = file(100);
  const slow = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await gate.promise;
      controller.enqueue(bytes);
      controller.close();
    },
  }, { highWaterMark: 0 });
  const first = at.send(ASSETS, { ...streamInit(slow), key: "lone" });
  await new Promise((resolve) => setTimeout(resolve, 20));
  const second = await post(at, file(10), { key: "lone" });
  assert.equal(second.status, 429);
  assert.equal(await codeOf(second), "concurrent_uploads_exceeded");
  assert.ok(Number(second.headers.get("retry-after")) > 0);
  assert.equal((await post(at, file(10), { key: "acme" })).status, 201);
  gate.resolve();
  assert.equal((await first).status, 201);
  assert.equal((await post(at, file(10), { key: "lone" })).status, 201);
});

Deno.test("uploadRoutes() limits the bytes of a key per day, declared or not", async () => {
  await using at = await openUploadApp();
  const declared = await post(at, file(1001), {
    key: "frugal",
    headers: { "content-length": "1001" },
  });
  assert.equal(declared.status, 429);
  assert.equal(await codeOf(declared), "daily_bytes_exceeded");
  assert.ok(Number(declared.headers.get("retry-after")) <= 86_400);
  const streamed = await at.send(ASSETS, { ...streamInit(bodyOf(file(1001))), key: "frugal" });
  assert.equal(streamed.status, 429);
  assert.equal(await codeOf(streamed), "daily_bytes_exceeded");
  await assertNothingKept(at);
  assert.equal(
    (await at.send(ASSETS, { ...streamInit(bodyOf(file(600))), key: "frugal" })).status,
    201,
  );
  assert.equal(at.quota.used.get("frugal"), 600);
  assert.equal((await post(at, file(300), { key: "frugal" })).status, 201);
  assert.equal((await post(at, file(300), { key: "frugal" })).status, 429);
});

Deno.test("uploadRoutes() cuts a body that stops arriving", async () => {
  await using at = await openUploadApp();
  const { ingest } = at.world.addInstance({ limits: { idleTimeoutMs: 80, minWindowBytes: 1000 } });
  await using quick = await openUploadApp({ ingest });
  let timer: ReturnType<typeof setInterval> | undefined;
  const stuck = new ReadableStream<Uint8Array>({ start: (c) => c.enqueue(new Uint8Array(10)) });
  const trickling = new ReadableStream<Uint8Array>({
    start: (c) => void (timer = setInterval(() => c.enqueue(new Uint8Array(1)), 10)),
    cancel: () => clearInterval(timer),
  });
  for (const body of [stuck, trickling]) {
    const response = await quick.send(ASSETS, streamInit(body));
    assert.equal(response.status, 408);
    assert.equal(await codeOf(response), "body_timeout");
  }
});

Deno.test("uploadRoutes() refuses header fields that are too large", async () => {
  await using at = await openUploadApp();
  const large = await post(at, file(10), { headers: { "x-padding": "a".repeat(33_000) } });
  assert.equal(large.status, 431);
  const problem = await large.json();
  assert.deepEqual([problem.code, problem.limitBytes], ["headers_too_large", 32 * 1024]);
  const many = Object.fromEntries(
    Array.from({ length: 90 }, (_, i) => [`x-${i}`, "a".repeat(500)]),
  );
  assert.equal((await post(at, file(10), { headers: many })).status, 431);
  assert.equal((await post(at, file(10), { headers: { "x-a": "a".repeat(20_000) } })).status, 201);
});
