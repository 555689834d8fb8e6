import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { AppError } from "../../src/errors.ts";
import { openUploadApp, streamInit, type UploadApp } from "../support/upload_app.ts";
import { resumable } from "../support/upload_routes.ts";
import { brokenBodyOf, MIB, randomFile, sha256Of } from "../support/upload_world.ts";

const UPLOADS = "/v1/uploads";
const TUS = { "tus-resumable": "1.0.0" };
const CHUNK = { ...TUS, "content-type": "application/offset+octet-stream" };

type Headers = Record<string, string>;

function file(sizeBytes: number): Uint8Array<ArrayBuffer> {
  return randomFile(sizeBytes) as Uint8Array<ArrayBuffer>;
}

function metadata(entries: Record<string, string>): string {
  return Object.entries(entries)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString("base64")}`).join(",");
}

function checksum(algorithm: string, bytes: Uint8Array): string {
  return `${algorithm} ${createHash(algorithm).update(bytes).digest("base64")}`;
}

async function create(at: UploadApp, length: number, headers: Headers = {}): Promise<string> {
  const response = await at.send(UPLOADS, {
    method: "POST",
    headers: { ...TUS, "upload-length": String(length), ...headers },
  });
  assert.equal(response.status, 201, await response.text());
  assert.equal(response.headers.get("tus-resumable"), "1.0.0");
  assert.ok(Date.parse(response.headers.get("upload-expires") ?? "") > Date.now());
  return response.headers.get("location") ?? "";
}

async function patch(
  at: UploadApp,
  path: string,
  offset: number,
  options: { body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>; headers?: Headers },
): Promise<Response> {
  const { body, headers } = options;
  const init = body instanceof Uint8Array ? { body } : streamInit(body);
  return await at.send(path, {
    ...init,
    method: "PATCH",
    headers: { ...CHUNK, "upload-offset": String(offset), ...headers },
  });
}

async function offsetOf(at: UploadApp, path: string, key = "acme"): Promise<number> {
  const response = await at.send(path, { method: "HEAD", headers: TUS, key });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("cache-control"), "no-store");
  return Number(response.headers.get("upload-offset"));
}

Deno.test("tusRoutes() says what it speaks, without a key", async () => {
  await using at = await openUploadApp({ more: resumable() });
  const response = await at.send(UPLOADS, { method: "OPTIONS", key: null });
  assert.equal(response.status, 204);
  assert.equal(response.headers.get("tus-version"), "1.0.0");
  assert.equal(response.headers.get("tus-max-size"), String(64 * MIB));
  assert.equal(response.headers.get("tus-checksum-algorithm"), "sha1,sha256");
  assert.match(response.headers.get("tus-extension") ?? "", /creation.*expiration.*termination/);
});

Deno.test("tusRoutes() takes an upload in one request and names the asset", async () => {
  await using at = await openUploadApp({ more: resumable() });
  const bytes = file(3000);
  const path = await create(at, 3000, {
    "upload-metadata": metadata({ filename: "å.bin", filetype: "text/x-mine" }) + ",flag",
  });
  assert.equal(await offsetOf(at, path), 0);
  const done = await patch(at, path, 0, { body: bytes });
  assert.equal(done.status, 204);
  assert.equal(done.headers.get("upload-offset"), "3000");
  assert.equal(done.headers.get("facet-content-hash"), sha256Of(bytes));
  const { state, asset } = await (await at.send(path)).json();
  assert.deepEqual([state, asset.fileName], ["done", "å.bin"]);
  assert.equal(asset.assetId, done.headers.get("facet-asset-id"));
  assert.equal(await offsetOf(at, path), 3000);
  assert.equal(await at.countObjects("staging/"), 0);
  assert.equal(await at.countObjects("raw/"), 1);
  await at.world.assertInvariants();
});

Deno.test("tusRoutes() assembles an upload from chunks of any size", async () => {
  await using at = await openUploadApp({ more: resumable() });
  const bytes = file(17 * MIB + 123);
  for (const sizes of [[17 * MIB + 123], [1, 5 * MIB - 1, 5 * MIB, 100], [3 * MIB, 9 * MIB, 1]]) {
    const path = await create(at, bytes.length);
    let offset = 0;
    for (let i = 0; offset < bytes.length; i++) {
      const size = sizes[i] ?? 4 * MIB;
      const response = await patch(at, path, offset, { body: bytes.slice(offset, offset + size) });
      assert.equal(response.status, 204);
      offset = Number(response.headers.get("upload-offset"));
      assert.equal(
        offset,
        Math.min(
          bytes.length,
          [...sizes.slice(0, i + 1), ...Array(Math.max(0, i + 1 - sizes.length)).fill(4 * MIB)]
            .reduce((a, b) => a + b, 0),
        ),
      );
    }
    const { asset } = await (await at.send(path)).json();
    assert.equal(asset.contentHash, sha256Of(bytes));
  }
  assert.equal(await at.countObjects("staging/"), 0);
  assert.equal(await at.countObjects("raw/"), 1);
  await at.world.assertInvariants();
});

Deno.test("tusRoutes() keeps what arrived before a connection broke", async () => {
  await using at = await openUploadApp({ more: resumable() });
  const bytes = file(12 * MIB);
  const path = await create(at, bytes.length);
  let offset = 0;
  for (const end of [1, 5 * MIB, 5 * MIB + 10, 11 * MIB]) {
    const broken = brokenBodyOf(bytes.slice(offset), end - offset);
    assert.equal((await patch(at, path, offset, { body: broken })).status, 400);
    offset = await offsetOf(at, path);
    assert.equal(offset, end);
  }
  const last = await patch(at, path, offset, { body: bytes.slice(offset) });
  assert.equal(last.headers.get("facet-content-hash"), sha256Of(bytes));
  assert.equal(await at.countObjects("staging/"), 0);
});

Deno.test("tusRoutes() refuses a PATCH at another offset, and changes nothing", async () => {
  await using at = await openUploadApp({ more: resumable() });
  const bytes = file(1000);
  const path = await create(at, 1000);
  await patch(at, path, 0, { body: bytes.slice(0, 400) });
  for (const offset of [0, 399, 401, 1000]) {
    const wrong = await patch(at, path, offset, { body: bytes.slice(offset) });
    assert.equal(wrong.status, 409, String(offset));
    assert.equal((await wrong.json()).offsetBytes, 400);
    assert.equal(wrong.headers.get("tus-resumable"), "1.0.0");
  }
  assert.equal(await offsetOf(at, path), 400);
  const long = await patch(at, path, 400, { body: file(601) });
  assert.equal(long.status, 413);
  assert.equal((await patch(at, path, 400, { body: bytes.slice(400) })).status, 204);
  assert.equal(
    (await patch(at, path, 1000, { body: file(0), headers: { "content-length": "0" } })).status,
    204,
  );
});

Deno.test("tusRoutes() discards a chunk whose checksum does not match", async () => {
  await using at = await openUploadApp({ more: resumable() });
  const bytes = file(12 * MIB);
  const path = await create(at, bytes.length);
  const send = (from: number, to: number, sum: string, body = bytes.slice(from, to)) =>
    patch(at, path, from, { body, headers: { "upload-checksum": sum } });
  assert.equal((await send(0, 100, checksum("sha1", bytes.slice(0, 100)))).status, 204);
  const mismatch = await send(100, 11 * MIB, checksum("sha256", bytes.slice(0, 5)));
  assert.equal(mismatch.status, 460);
  assert.equal((await mismatch.json()).code, "checksum_mismatch");
  assert.equal(await offsetOf(at, path), 100);
  const garbled = await send(
    100,
    11 * MIB,
    checksum("sha1", bytes.slice(100, 11 * MIB)),
    file(11 * MIB - 100),
  );
  assert.equal(garbled.status, 460);
  assert.equal(await offsetOf(at, path), 100);
  const right = await send(100, 11 * MIB, checksum("sha256", bytes.slice(100, 11 * MIB)));
  assert.equal(right.status, 204);
  assert.equal(await offsetOf(at, path), 11 * MIB);
  for (const bad of ["md5 AAAA", "sha1 AAAA", "sha256", "sha1 %%%"]) {
    assert.equal((await send(11 * MIB, 12 * MIB, bad)).status, 400, bad);
  }
  const last = await send(11 * MIB, 12 * MIB, checksum("sha1", bytes.slice(11 * MIB)));
  assert.equal(last.headers.get("facet-content-hash"), sha256Of(bytes));
});

Deno.test("tusRoutes() answers the protocol's errors", async () => {
  await using at = await openUploadApp({ more: resumable() });
  const post = (headers: Headers) => at.send(UPLOADS, { method: "POST", headers });
  const noVersion = await post({ "upload-length": "1" });
  assert.equal(noVersion.status, 412);
  assert.equal(noVersion.headers.get("tus-version"), "1.0.0");
  assert.equal((await post({ "tus-resumable": "0.2.2", "upload-length": "1" })).status, 412);
  assert.equal((await post(TUS)).status, 400);
  assert.equal((await post({ ...TUS, "upload-length": "-1" })).status, 400);
  assert.equal((await post({ ...TUS, "upload-length": "0" })).status, 400);
  assert.equal((await post({ ...TUS, "upload-defer-length": "1" })).status, 400);
  assert.equal((await post({ ...TUS, "upload-length": String(64 * MIB + 1) })).status, 413);
  const partial = { ...TUS, "upload-length": "1", "upload-concat": "partial" };
  assert.equal((await post(partial)).status, 400);
  for (
    const bad of ["filename", "a b c", "a %%%", "a YQ==,a YQ==", "sha256 YQ==", "visibility YQ=="]
  ) {
    const response = await post({ ...TUS, "upload-length": "1", "upload-metadata": bad });
    assert.equal(response.status, bad === "filename" ? 201 : 400, bad);
  }
  assert.equal((await at.send(UPLOADS, { method: "POST", headers: TUS, key: null })).status, 401);
  const path = await create(at, 10);
  const wrongType = await at.send(path, {
    method: "PATCH",
    headers: { ...TUS, "upload-offset": "0", "content-type": "text/plain" },
    body: "x",
  });
  assert.equal(wrongType.status, 415);
  const put = await at.send(path, { method: "PUT", headers: TUS });
  assert.equal(put.status, 405);
  assert.match(put.headers.get("allow") ?? "", /PATCH/);
  const noUpload = `${UPLOADS}/00000000-0000-7000-8000-000000000000`;
  assert.equal((await at.send(noUpload, { method: "HEAD", headers: TUS })).status, 404);
});

Deno.test("tusRoutes() hides an upload from other tenants", async () => {
  await using at = await openUploadApp({ more: resumable() });
  const path = await create(at, 10);
  for (const method of ["HEAD", "PATCH", "DELETE", "GET"]) {
    const response = await at.send(path, {
      method,
      key: "globex",
      headers: { ...CHUNK, "upload-offset": "0" },
      ...(method === "PATCH" ? { body: "x" } : {}),
    });
    assert.equal(response.status, 404, method);
  }
  assert.equal(await offsetOf(at, path), 0);
});

Deno.test("tusRoutes() expires uploads", async () => {
  await using at = await openUploadApp({ more: resumable() });
  const path = await create(at, 6 * MIB);
  await patch(at, path, 0, { body: file(5 * MIB + 5) });
  await at.world.database.write((sql) =>
    sql`update upload_session set expires_at = now() - interval '1 second'`
  );
  for (const method of ["HEAD", "PATCH", "DELETE"]) {
    const response = await at.send(path, {
      method,
      headers: { ...CHUNK, "upload-offset": String(5 * MIB + 5) },
      ...(method === "PATCH" ? { body: "x" } : {}),
    });
    assert.equal(response.status, 410, method);
  }
  await at.world.sweep.run();
  await at.world.assertInvariants();
  assert.equal(await at.countObjects("staging/"), 0);
});

Deno.test("tusRoutes() terminates an upload with all its bytes", async () => {
  await using at = await openUploadApp({ more: resumable() });
  const path = await create(at, 12 * MIB);
  await patch(at, path, 0, { body: file(6 * MIB) });
  assert.ok(await at.countObjects("staging/") > 0);
  assert.equal((await at.send(path, { method: "DELETE", headers: TUS })).status, 204);
  assert.equal(await at.countObjects("staging/"), 0);
  for await (const upload of at.world.objects.listMultipartUploads("staging/")) {
    assert.fail(`left ${upload.uploadId}`);
  }
  assert.equal((await at.send(path, { method: "HEAD", headers: TUS })).status, 410);
});

Deno.test("tusRoutes() takes bytes with the creation", async () => {
  await using at = await openUploadApp({ more: resumable() });
  const bytes = file(100);
  const post = (length: number, body: Uint8Array<ArrayBuffer>) =>
    at.send(UPLOADS, {
      method: "POST",
      headers: { ...CHUNK, "upload-length": String(length) },
      body,
    });
  const part = await post(100, bytes.slice(0, 40));
  assert.deepEqual([part.status, part.headers.get("upload-offset")], [201, "40"]);
  const whole = await post(100, bytes);
  assert.equal(whole.headers.get("facet-content-hash"), sha256Of(bytes));
  const path = part.headers.get("location") ?? "";
  const override = await at.send(path, {
    method: "POST",
    headers: { ...CHUNK, "upload-offset": "40", "x-http-method-override": "PATCH" },
    body: bytes.slice(40),
  });
  assert.equal(override.headers.get("facet-content-hash"), sha256Of(bytes));
});

Deno.test("tusRoutes() begins no upload with a body that is longer than it", async () => {
  await using at = await openUploadApp({ more: resumable() });
  const response = await at.send(UPLOADS, {
    method: "POST",
    headers: { ...CHUNK, "upload-length": "5", "content-length": "6" },
    body: file(6),
  });
  assert.equal(response.status, 413);
  const sessions = await at.world.database.read((sql) => sql`select 1 from upload_session`);
  assert.equal(sessions.length, 0);
});

Deno.test("tusRoutes() keeps nothing of an upload that is not what was declared", async () => {
  await using at = await openUploadApp({ more: resumable() });
  const path = await create(at, 10, { "upload-metadata": metadata({ sha256: "0".repeat(64) }) });
  const response = await patch(at, path, 0, { body: file(10) });
  assert.equal(response.status, 422);
  assert.equal((await response.json()).code, "digest_mismatch");
  assert.equal((await at.send(path, { method: "HEAD", headers: TUS })).status, 410);
  assert.equal(await at.countObjects(""), 0);
});

Deno.test("tusRoutes() lets a new connection in while the old one still hangs", async () => {
  await using at = await openUploadApp({ more: resumable() });
  const bytes = file(11 * MIB);
  const path = await create(at, bytes.length);
  const hanging = Promise.withResolvers<void>();
  let sent = 0;
  const old = patch(at, path, 0, {
    body: new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (sent > 6 * MIB) await hanging.promise;
        if (sent >= bytes.length) return controller.close();
        controller.enqueue(bytes.slice(sent, sent += 64 * 1024));
      },
    }, { highWaterMark: 0 }),
  });
  let offset = 0;
  while (offset < 5 * MIB) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    offset = await offsetOf(at, path);
  }
  assert.equal((await patch(at, path, offset, { body: bytes.slice(offset, 7 * MIB) })).status, 204);
  hanging.resolve();
  assert.equal((await old).status, 409);
  assert.equal(await offsetOf(at, path), 7 * MIB);
  const last = await patch(at, path, 7 * MIB, { body: bytes.slice(7 * MIB) });
  assert.equal(last.headers.get("facet-content-hash"), sha256Of(bytes));
  assert.equal(await at.countObjects("staging/"), 0);
});

Deno.test("tusRoutes() finishes on a retry when the store failed at the end", async () => {
  await using at = await openUploadApp({ more: resumable() });
  const bytes = file(11 * MIB);
  const path = await create(at, bytes.length);
  for (const call of ["completeMultipart", "copy"] as const) {
    at.world.faults.break(call, {
      when: call === "copy" ? "before" : "after",
      act: () => Promise.reject(new AppError("storage_unavailable", "Not now")),
    });
    const offset = await offsetOf(at, path);
    const rest = bytes.slice(offset);
    const failed = await patch(at, path, offset, {
      body: rest,
      headers: { "upload-checksum": checksum("sha1", rest) },
    });
    assert.ok(failed.status >= 500, `${call}: ${failed.status}`);
    at.world.faults.break(call, null);
    assert.ok(await offsetOf(at, path) < bytes.length);
  }
  const offset = await offsetOf(at, path);
  const done = await patch(at, path, offset, { body: bytes.slice(offset) });
  assert.equal(done.headers.get("facet-content-hash"), sha256Of(bytes));
  await at.world.assertInvariants();
});
