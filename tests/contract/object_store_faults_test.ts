import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { createS3ObjectStore, ensureBucket } from "../../src/adapters/s3/s3_object_store.ts";
import { MIN_PART_SIZE_BYTES, type ObjectStore } from "../../src/core/object_store.ts";
import { writeMultipart } from "../../src/core/multipart_writer.ts";
import { type HttpFaultProxy, startHttpFaultProxy } from "../support/http_fault_proxy.ts";
import { findTestS3, type TestS3 } from "../support/test_s3.ts";
import { assertSameBytes, readAll, readText } from "./object_store_helpers.ts";

const PART = MIN_PART_SIZE_BYTES;
/** Time-outs where none is expected: the machine that runs the suite may be busy. */
const PATIENT_MS = 10_000;
/** Time-outs where one is awaited. */
const HASTY_MS = 700;
const s3 = findTestS3();
if (s3 !== null) testFaults(s3);

function testFaults(s3: TestS3): void {
  const test = (
    title: string,
    body: (store: ObjectStore, proxy: HttpFaultProxy, key: string) => Promise<void>,
    timeoutMs = PATIENT_MS,
  ): void =>
    Deno.test(`createS3ObjectStore() ${title}`, async () => {
      await ensureBucket(s3);
      const proxy = startHttpFaultProxy(s3.endpoint);
      const store = createS3ObjectStore({
        ...s3,
        endpoint: proxy.url,
        attemptTimeoutMs: timeoutMs,
        idleTimeoutMs: timeoutMs,
        pingTimeoutMs: timeoutMs,
        retryDelayMs: 10,
      });
      try {
        await body(store, proxy, `faults-${randomUUID()}/a`);
      } finally {
        await store.close();
        await proxy.close();
      }
    });
  testTransient(test);
  testBodies(test);
  testMultipart(test);
}

type RegisterFaultTest = (
  title: string,
  body: (store: ObjectStore, proxy: HttpFaultProxy, key: string) => Promise<void>,
  timeoutMs?: number,
) => void;

function testTransient(test: RegisterFaultTest): void {
  test("repeats a call that met a 500, a 503 or a reset", async (store, proxy, key) => {
    proxy.inject({ kind: "answer", status: 500 }, { method: "PUT" });
    proxy.inject({ kind: "reset" }, { method: "PUT" });
    await store.put(key, randomBytes(1000));
    proxy.inject({ kind: "answer", status: 503 }, { method: "HEAD", times: 2 });
    assert.equal((await store.head(key))?.sizeBytes, 1000);
    assert.deepEqual(proxy.calls.map((call) => call.method), [
      ...["PUT", "PUT", "PUT"],
      ...["HEAD", "HEAD", "HEAD"],
    ]);
  });

  test("gives up as unavailable after three tries", async (store, proxy, key) => {
    proxy.inject({ kind: "answer", status: 503, body: "" }, { times: 100 });
    await assert.rejects(store.put(key, randomBytes(10)), { code: "storage_unavailable" });
    assert.equal(proxy.calls.length, 3);
    await assert.rejects(store.list("x").next(), { code: "storage_unavailable" });
    proxy.heal();
    await store.put(key, randomBytes(10));
  });

  test("times out on a store that hangs, and recovers", async (store, proxy, key) => {
    proxy.inject({ kind: "hang" }, { times: 3 });
    await assert.rejects(store.put(key, randomBytes(10)), { code: "storage_timeout" });
    assert.equal(proxy.calls.length, 3);
    proxy.inject({ kind: "hang" });
    await assert.rejects(store.ping(), { code: "storage_timeout" });
    await store.ping();
    proxy.inject({ kind: "delay", delayMs: 100 });
    await store.put(key, randomBytes(10));
  }, HASTY_MS);

  test("stops at once when aborted while the store hangs", async (store, proxy, key) => {
    proxy.inject({ kind: "hang" }, { times: 3 });
    const reason = new Error("enough");
    const abort = new AbortController();
    const call = store.put(key, randomBytes(10), { signal: abort.signal });
    while (proxy.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort(reason);
    await assert.rejects(call, (error) => error === reason);
    assert.equal(proxy.calls.length, 1);
  });

  test("stores once what was put twice because an answer was lost", async (store, proxy, key) => {
    proxy.inject({ kind: "loseAnswer" }, { method: "PUT" });
    const bytes = randomBytes(1000);
    assert.deepEqual(await store.put(key, bytes, { ifAbsent: true }), { created: false });
    const body = await store.get(key);
    assert.ok(body);
    assertSameBytes(await readAll(body), bytes);
  });

  test("fails a listing whose second page fails", async (store, proxy, key) => {
    const keys = [`${key}/1`, `${key}/2`, `${key}/3`];
    for (const one of keys) await store.put(one, randomBytes(1));
    proxy.inject({ kind: "answer", status: 500 }, { path: /continuation-token/, times: 100 });
    const listing = store.list(key, { pageSize: 2 });
    assert.equal((await listing.next()).value?.length, 2);
    await assert.rejects(listing.next(), { code: "storage_unavailable" });
    proxy.heal();
    await store.deleteMany(keys);
  });
}

function testBodies(test: RegisterFaultTest): void {
  test("fails a body that is cut short", async (store, proxy, key) => {
    await store.put(key, randomBytes(500_000));
    for (const afterBytes of [1, 100_000, 499_999]) {
      proxy.inject({ kind: "cutBody", afterBytes }, { method: "GET" });
      const body = await store.get(key);
      assert.ok(body);
      await assert.rejects(readAll(body), { code: "storage_error" });
      proxy.heal();
    }
    proxy.inject({ kind: "cutBody", afterBytes: 10 }, { method: "GET" });
    const body = await store.get(key, { range: { offsetBytes: 5, lengthBytes: 1000 } });
    assert.ok(body);
    await assert.rejects(readAll(body), { code: "storage_error" });
  });

  test("times out on a body that stalls", async (store, proxy, key) => {
    await store.put(key, randomBytes(500_000));
    proxy.inject({ kind: "stallBody", afterBytes: 1000 }, { method: "GET" });
    const body = await store.get(key);
    assert.ok(body);
    await assert.rejects(readAll(body), { code: "storage_timeout" });
  }, HASTY_MS);
}

function testMultipart(test: RegisterFaultTest): void {
  test("completes an upload whose answers were lost", async (store, proxy, key) => {
    proxy.inject({ kind: "loseAnswer" }, { method: "PUT", path: /partNumber=2/ });
    proxy.inject({ kind: "loseAnswer" }, { method: "POST", path: /uploadId=/ });
    const chunks = [randomBytes(PART), randomBytes(PART), new TextEncoder().encode("end")];
    const result = await writeMultipart(store, key, {
      maxBytes: 3 * PART,
      partSizeBytes: PART,
      chunks: toAsync(chunks),
    });
    assert.deepEqual(result, { created: true, sizeBytes: 2 * PART + 3 });
    const tail = await store.get(key, { range: { offsetBytes: 2 * PART, lengthBytes: 10 } });
    assert.ok(tail);
    assert.equal(new TextDecoder().decode(await readAll(tail)), "end");
  });

  test("aborts an upload one of whose parts fails for good", async (store, proxy, key) => {
    proxy.inject({ kind: "answer", status: 500 }, { path: /partNumber=2/, times: 100 });
    await assert.rejects(
      writeMultipart(store, key, {
        maxBytes: 4 * PART,
        partSizeBytes: PART,
        chunks: toAsync([1, 2, 3].map(() => randomBytes(PART))),
      }),
      { code: "storage_unavailable" },
    );
    assert.equal(await store.head(key), null);
    for await (const upload of store.listMultipartUploads(key)) assert.fail(upload.uploadId);
  });

  test("does not publish an upload whose completion never came", async (store, proxy, key) => {
    const upload = await store.createMultipart(key, { partSizeBytes: PART });
    const bytes = new TextEncoder().encode("bytes");
    const part = await store.uploadPart(upload, { partNumber: 1, bytes });
    proxy.inject({ kind: "reset" }, { method: "POST", times: 100 });
    const completion = store.completeMultipart(upload, { parts: [part] });
    await assert.rejects(completion, { code: "storage_unavailable" });
    assert.equal(await store.head(key), null);
    proxy.heal();
    assert.deepEqual(await store.completeMultipart(upload, { parts: [part] }), { created: true });
    assert.equal(await readText(store, key), "bytes");
  });
}

async function* toAsync(chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) {
    await Promise.resolve();
    yield chunk;
  }
}
