import assert from "node:assert/strict";
import { openUploadApp, type UploadApp } from "../support/upload_app.ts";
import { direct } from "../support/upload_routes.ts";
import { MIB, randomFile, sha256Of } from "../support/upload_world.ts";

const DIRECT = "/v1/uploads/direct";

interface Part {
  readonly partNumber: number;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
}

interface Plan {
  readonly uploadId: string;
  readonly partSizeBytes: number;
  readonly parts: readonly Part[];
}

function file(sizeBytes: number): Uint8Array<ArrayBuffer> {
  return randomFile(sizeBytes) as Uint8Array<ArrayBuffer>;
}

async function plan(at: UploadApp, wish: Record<string, unknown>): Promise<Plan> {
  const response = await at.send(DIRECT, { method: "POST", body: JSON.stringify(wish) });
  assert.equal(response.status, 201);
  const planned = await response.json();
  assert.equal(response.headers.get("location"), `${DIRECT}/${planned.uploadId}`);
  return planned;
}

async function sendPart(
  at: UploadApp,
  part: Part,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Response> {
  const { method, url, headers, offsetBytes, sizeBytes } = part;
  const body = bytes.slice(offsetBytes, offsetBytes + sizeBytes);
  return await at.send(url, { method, headers, body, key: null });
}

async function complete(at: UploadApp, { uploadId }: Plan, key = "acme"): Promise<Response> {
  return await at.send(`${DIRECT}/${uploadId}/complete`, { method: "POST", key });
}

Deno.test("directUploadRoutes() takes an upload of one request", async () => {
  await using at = await openUploadApp({ more: direct() });
  const bytes = file(3000);
  const planned = await plan(at, {
    sizeBytes: 3000,
    fileName: "a.bin",
    sha256: sha256Of(bytes),
    visibility: "private",
  });
  assert.equal(planned.parts.length, 1);
  assert.equal((await sendPart(at, planned.parts[0], bytes)).status, 200);
  const created = await complete(at, planned);
  assert.equal(created.status, 201);
  const asset = await created.json();
  assert.deepEqual(
    [asset.contentHash, asset.fileName, asset.visibility],
    [sha256Of(bytes), "a.bin", "private"],
  );
  const repeated = await complete(at, planned);
  assert.equal(repeated.status, 200);
  assert.equal((await repeated.json()).assetId, asset.assetId);
  assert.equal((await (await at.send(`${DIRECT}/${planned.uploadId}`)).json()).state, "done");
  assert.equal(await at.countObjects("staging/"), 0);
  await at.world.assertInvariants();
});

Deno.test("directUploadRoutes() takes an upload in parts, in any order, and names missing ones", async () => {
  await using at = await openUploadApp({ more: direct() });
  const bytes = file(12 * MIB + 5);
  const planned = await plan(at, { sizeBytes: bytes.length });
  assert.deepEqual(planned.parts.map((part) => part.sizeBytes), [5 * MIB, 5 * MIB, 2 * MIB + 5]);
  for (const index of [2, 0]) await sendPart(at, planned.parts[index], bytes);
  const early = await complete(at, planned);
  assert.equal(early.status, 409);
  const problem = await early.json();
  assert.deepEqual([problem.code, problem.missingParts], ["upload_incomplete", [2]]);
  await sendPart(at, planned.parts[1], bytes);
  const created = await complete(at, planned);
  assert.equal(created.status, 201);
  assert.equal((await created.json()).contentHash, sha256Of(bytes));
  assert.equal(await at.countObjects("staging/"), 0);
  await at.world.assertInvariants();
});

Deno.test("directUploadRoutes() believes neither the hash nor the size that the client names", async () => {
  await using at = await openUploadApp({ more: direct() });
  const bytes = file(1000);
  const wrong = await plan(at, { sizeBytes: 1000, sha256: sha256Of(file(1)) });
  await sendPart(at, wrong.parts[0], bytes);
  const mismatch = await complete(at, wrong);
  assert.equal(mismatch.status, 422);
  assert.equal((await mismatch.json()).code, "digest_mismatch");
  assert.equal((await complete(at, wrong)).status, 410);
  const short = await plan(at, { sizeBytes: 1001 });
  assert.equal((await sendPart(at, short.parts[0], bytes)).status, 400);
  assert.equal((await complete(at, short)).status, 409);
  assert.equal(await at.countObjects(""), 0);
});

Deno.test("directUploadRoutes() judges bytes that the client cannot change any more", async () => {
  await using at = await openUploadApp({ more: direct() });
  const bytes = file(1000);
  const planned = await plan(at, { sizeBytes: 1000 });
  await sendPart(at, planned.parts[0], bytes);
  const { contentHash } = await (await complete(at, planned)).json();
  assert.equal((await sendPart(at, planned.parts[0], file(1000))).status, 200);
  const stored = await at.world.objects.get(
    `raw/${contentHash.slice(0, 2)}/${contentHash.slice(2, 4)}/${contentHash}`,
  );
  assert.ok(stored);
  const kept = new Uint8Array(await new Response(stored.stream as ReadableStream).arrayBuffer());
  assert.equal(sha256Of(kept), contentHash);
  await at.world.database.write((sql) =>
    sql`update upload_session set expires_at = now() - interval '1 second'`
  );
  await at.world.sweep.run();
  assert.equal(await at.countObjects("staging/"), 0);
});

Deno.test("directBytesRoutes() accepts nothing but what the URL was signed for", async () => {
  await using at = await openUploadApp({ more: direct() });
  const bytes = file(1000);
  const { parts: [part] } = await plan(at, { sizeBytes: 1000 });
  const put = (url: string, body: Uint8Array<ArrayBuffer>) =>
    at.send(url, { method: "PUT", body, key: null });
  assert.equal((await put(part.url.replace("size=1000", "size=2000"), file(2000))).status, 401);
  assert.equal((await put(part.url.replace("staging", "raw"), bytes)).status, 401);
  assert.equal((await put(part.url.replace(/signature=[^&]*/, ""), bytes)).status, 401);
  assert.equal((await put(part.url, file(999))).status, 400);
  assert.equal((await put(part.url, file(1001))).status, 413);
  assert.equal(await at.countObjects(""), 0);
  assert.equal((await put(part.url, bytes)).status, 200);
});

Deno.test("directUploadRoutes() hides an upload from other tenants", async () => {
  await using at = await openUploadApp({ more: direct() });
  const planned = await plan(at, { sizeBytes: 10 });
  assert.equal((await complete(at, planned, "globex")).status, 404);
  for (const method of ["GET", "DELETE"]) {
    const path = `${DIRECT}/${planned.uploadId}`;
    assert.equal((await at.send(path, { method, key: "globex" })).status, 404);
    assert.equal((await at.send(path, { method, key: null })).status, 401);
  }
});

Deno.test("directUploadRoutes() aborts with all bytes, and expires", async () => {
  await using at = await openUploadApp({ more: direct() });
  const bytes = file(11 * MIB);
  const planned = await plan(at, { sizeBytes: bytes.length });
  await sendPart(at, planned.parts[0], bytes);
  const path = `${DIRECT}/${planned.uploadId}`;
  assert.equal((await at.send(path, { method: "DELETE" })).status, 204);
  assert.equal((await complete(at, planned)).status, 410);
  for await (const upload of at.world.objects.listMultipartUploads("")) {
    assert.fail(`left ${upload.key}`);
  }
  const late = await plan(at, { sizeBytes: bytes.length });
  await at.world.database.write((sql) =>
    sql`update upload_session set expires_at = now() - interval '1 second'`
  );
  assert.equal((await complete(at, late)).status, 410);
  await at.world.sweep.run();
  for await (const upload of at.world.objects.listMultipartUploads("")) {
    assert.fail(`left ${upload.key}`);
  }
});

Deno.test("directUploadRoutes() completes on a retry when the store failed", async () => {
  await using at = await openUploadApp({ more: direct() });
  const bytes = file(6 * MIB);
  const planned = await plan(at, { sizeBytes: bytes.length });
  for (const part of planned.parts) await sendPart(at, part, bytes);
  for (const call of ["completeMultipart", "get"] as const) {
    at.world.faults.break(call, {
      // A body that was opened would have no reader.
      when: call === "get" ? "before" : "after",
      act: () => Promise.reject(new Error(`${call} failed`)),
    });
    assert.ok((await complete(at, planned)).status >= 500);
    at.world.faults.break(call, null);
  }
  const created = await complete(at, planned);
  assert.equal(created.status, 201);
  assert.equal((await created.json()).contentHash, sha256Of(bytes));
});

Deno.test("directUploadRoutes() refuses wishes that are malformed or too large", async () => {
  await using at = await openUploadApp({ more: direct() });
  const statusOf = async (body: string, key = "acme") =>
    (await at.send(DIRECT, { method: "POST", body, key })).status;
  for (
    const bad of [
      "",
      "[]",
      "null",
      "{",
      '{"sizeBytes":"1"}',
      '{"sizeBytes":-1}',
      '{"sizeBytes":1.5}',
      '{"sizeBytes":1,"fileName":5}',
      '{"sizeBytes":1,"sha256":"x"}',
      '{"sizeBytes":1,"visibility":"x"}',
      '{"sizeBytes":0}',
    ]
  ) {
    assert.equal(await statusOf(bad), 400, bad);
  }
  assert.equal(await statusOf(JSON.stringify({ sizeBytes: 64 * MIB + 1 })), 413);
  assert.equal(await statusOf(JSON.stringify({ sizeBytes: 1, x: "y".repeat(20_000) })), 413);
  assert.equal(await statusOf(JSON.stringify({ sizeBytes: 1001 }), "frugal"), 429);
  assert.equal(await statusOf(JSON.stringify({ sizeBytes: 1 }), "reader"), 403);
});
