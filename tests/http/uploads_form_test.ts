import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { openUploadApp, streamInit } from "../support/upload_app.ts";
import { bodyOf, brokenBodyOf, MIB, randomFile, sha256Of } from "../support/upload_world.ts";

const ASSETS = "/v1/assets";

function blob(bytes: Uint8Array, type = ""): Blob {
  return new Blob([bytes as Uint8Array<ArrayBuffer>], { type });
}

function formOf(files: readonly Uint8Array[]): FormData {
  const form = new FormData();
  form.append("comment", "not a file");
  files.forEach((bytes, index) => form.append("file", blob(bytes, "image/jpeg"), `f${index}.jpg`));
  return form;
}

async function encodeForm(form: FormData): Promise<{ type: string; bytes: Uint8Array }> {
  const encoded = new Response(form);
  return {
    type: encoded.headers.get("content-type") ?? "",
    bytes: new Uint8Array(await encoded.arrayBuffer()),
  };
}

Deno.test("uploadForm() takes many files, small and staged, and tells each one's fate", async () => {
  await using at = await openUploadApp();
  const files = [randomFile(10), randomFile(6 * MIB), randomFile(70_000)];
  const response = await at.send(ASSETS, { method: "POST", body: formOf(files) });
  assert.equal(response.status, 201);
  const { results } = await response.json();
  assert.deepEqual(
    results.map((each: { asset: { contentHash: string }; fileName: string; status: number }) => [
      each.asset.contentHash,
      each.fileName,
      each.status,
    ]),
    files.map((bytes, index) => [sha256Of(bytes), `f${index}.jpg`, 201]),
  );
  assert.equal(results[1].location, `/v1/assets/${results[1].asset.assetId}`);
  assert.equal(await at.countObjects("raw/"), 3);
  assert.equal(await at.countObjects("staging/"), 0);
  const again = await at.send(ASSETS, { method: "POST", body: formOf(files) });
  assert.equal(again.status, 200);
});

Deno.test("uploadForm() keeps the good files beside a bad one", async () => {
  await using at = await openUploadApp();
  const good = randomFile(1000);
  const form = formOf([new Uint8Array(0), good, good]);
  const response = await at.send(ASSETS, { method: "POST", body: form });
  assert.equal(response.status, 207);
  const { results } = await response.json();
  assert.deepEqual(results.map((each: { status: number }) => each.status), [400, 201, 200]);
  assert.equal(results[0].problem.code, "empty_body");
  assert.equal(results[0].asset, undefined);
  assert.equal(await at.countObjects("raw/"), 1);
});

Deno.test("uploadForm() keeps the good files beside a part with bad header fields", async () => {
  await using at = await openUploadApp();
  const file = (fields: string, text: string) =>
    `--B\r\nContent-Disposition: form-data; ${fields}\r\n\r\n${text}\r\n`;
  const response = await at.send(ASSETS, {
    method: "POST",
    headers: { "content-type": "multipart/form-data; boundary=B" },
    body: file('name="a"; filename="1"', "first") + file('name="b"; filename="\0"', "second") +
      file("name=c; filename*=UTF-8''%FF", "third") + file('filename="4"', "fourth") +
      file('name="e"; filename="5"', "fifth") + "--B--",
  });
  assert.equal(response.status, 207);
  const { results } = await response.json();
  assert.deepEqual(
    results.map((each: { field: string; status: number }) => [each.field, each.status]),
    [["a", 201], ["", 400], ["", 400], ["", 400], ["e", 201]],
  );
  assert.equal(results[1].problem.code, "malformed_form");
  assert.equal(await at.countObjects("raw/"), 2);
});

Deno.test("uploadForm() answers a problem when no file was taken", async () => {
  await using at = await openUploadApp();
  const none = await at.send(ASSETS, { method: "POST", body: formOf([]) });
  assert.equal(none.status, 400);
  assert.equal((await none.json()).code, "malformed_form");
  const empty = await at.send(ASSETS, { method: "POST", body: formOf([new Uint8Array(0)]) });
  assert.equal(empty.status, 400);
  const problem = await empty.json();
  assert.equal(problem.code, "empty_body");
  assert.equal(problem.results.length, 1);
});

Deno.test("uploadForm() cuts a file over the cap and goes on with the next", async () => {
  await using at = await openUploadApp();
  const { ingest } = at.world.addInstance({ limits: { maxBytes: 6 * MIB } });
  await using small = await openUploadApp({ ingest });
  const files = [randomFile(7 * MIB), randomFile(100)];
  const response = await small.send(ASSETS, { method: "POST", body: formOf(files) });
  assert.equal(response.status, 207);
  const { results } = await response.json();
  assert.deepEqual(results.map((each: { status: number }) => each.status), [413, 201]);
  assert.equal(await at.countObjects("staging/"), 0);
});

Deno.test("uploadForm() verifies the digest of each part", async () => {
  await using at = await openUploadApp();
  const digest = (bytes: Uint8Array) =>
    `sha-256=:${Buffer.from(sha256Of(bytes), "hex").toString("base64")}:`;
  const part = (text: string, field: string) =>
    `--B\r\nContent-Disposition: form-data; name=f; filename=x\r\nContent-Digest: ${field}\r\n` +
    `\r\n${text}\r\n`;
  const right = digest(new TextEncoder().encode("one"));
  const response = await at.send(ASSETS, {
    method: "POST",
    headers: { "content-type": "multipart/form-data; boundary=B" },
    body: part("one", right) + part("two", right) + part("three", "sha-256=x") + "--B--",
  });
  assert.equal(response.status, 207);
  const { results } = await response.json();
  assert.deepEqual(results.map((each: { status: number }) => each.status), [201, 422, 400]);
  const whole = await at.send(ASSETS, {
    method: "POST",
    headers: { "content-type": "multipart/form-data; boundary=B", "content-digest": right },
    body: part("one", right) + "--B--",
  });
  assert.equal(whole.status, 400);
});

Deno.test("uploadForm() keeps the files before the point where a form breaks off", async () => {
  await using at = await openUploadApp();
  const first = randomFile(1000);
  const { type, bytes } = await encodeForm(formOf([first, randomFile(8 * MIB)]));
  const response = await at.send(ASSETS, {
    ...streamInit(brokenBodyOf(bytes, 5 * MIB)),
    headers: { "content-type": type },
  });
  assert.equal(response.status, 400);
  const problem = await response.json();
  assert.equal(problem.code, "incomplete_body");
  assert.equal(problem.results[0].asset.contentHash, sha256Of(first));
  assert.equal(await at.countObjects("raw/"), 1);
  assert.equal(await at.countObjects("staging/"), 0);
  await at.world.assertInvariants();
});

Deno.test("uploadForm() names the limits that a form exceeds", async () => {
  await using at = await openUploadApp({ form: { maxFiles: 2 } });
  const form = formOf([randomFile(1), randomFile(2), randomFile(3)]);
  const response = await at.send(ASSETS, { method: "POST", body: form });
  assert.equal(response.status, 413);
  const problem = await response.json();
  assert.equal(problem.code, "form_limit_exceeded");
  assert.deepEqual([problem.limit, problem.maximum], ["maxFiles", 2]);
  assert.equal(problem.results.length, 2);
});

Deno.test("uploadForm() counts a form against the key's bytes per day", async () => {
  await using at = await openUploadApp();
  const { type, bytes } = await encodeForm(formOf([randomFile(2000)]));
  const response = await at.send(ASSETS, {
    ...streamInit(bodyOf(bytes)),
    headers: { "content-type": type },
    key: "frugal",
  });
  assert.equal(response.status, 429);
  assert.equal((await response.json()).code, "daily_bytes_exceeded");
});

Deno.test("uploadForm() cuts a client that falls silent between parts", async () => {
  await using at = await openUploadApp({ idleTimeoutMs: 80 });
  const { type, bytes } = await encodeForm(formOf([randomFile(10)]));
  const silent = new ReadableStream<Uint8Array>({ start: (c) => c.enqueue(bytes.slice(0, -8)) });
  const response = await at.send(ASSETS, {
    ...streamInit(silent),
    headers: { "content-type": type },
  });
  assert.equal(response.status, 408);
  assert.equal((await response.json()).code, "body_timeout");
});
