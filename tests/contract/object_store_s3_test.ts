import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { createS3ObjectStore, ensureBucket } from "../../src/adapters/s3/s3_object_store.ts";
import { MIN_PART_SIZE_BYTES } from "../../src/core/object_store.ts";
import { type LifecycleRule } from "../../src/core/storage_class.ts";
import type { PresignedRequest } from "../../src/core/object_store.ts";
import { findTestS3, type TestS3 } from "../support/test_s3.ts";
import { assertSameBytes, readAll } from "./object_store_helpers.ts";
import { testObjectStore } from "./object_store_suite.ts";

const s3 = findTestS3();
if (s3 !== null) testS3(s3);

function testS3(s3: TestS3): void {
  let made: Promise<void> | null = null;
  const makeBucket = (): Promise<void> => made ??= ensureBucket(s3);

  testObjectStore({
    name: "createS3ObjectStore()",
    tiers: s3.hasStorageClasses,
    archives: false,
    async create() {
      await makeBucket();
      const store = createS3ObjectStore(s3);
      return { store, cleanup: () => store.close() };
    },
  });

  Deno.test("createS3ObjectStore() copies in parts what is too large for one", async () => {
    await makeBucket();
    const store = createS3ObjectStore({ ...s3, copyPartBytes: MIN_PART_SIZE_BYTES });
    const [from, to] = [`copy-${randomUUID()}`, `copy-${randomUUID()}`];
    const bytes = randomBytes(3 * MIN_PART_SIZE_BYTES + 7);
    await store.put(from, bytes);
    assert.deepEqual(await store.copy(from, to), { created: true });
    const body = await store.get(to);
    assert.ok(body);
    assertSameBytes(await readAll(body), bytes);
    for await (const upload of store.listMultipartUploads("copy-")) assert.fail(upload.key);
    await store.deleteMany([from, to]);
    await store.close();
  });

  Deno.test("presignPut() lets a client store exactly the size that was signed", async () => {
    await makeBucket();
    const store = createS3ObjectStore(s3);
    const key = `staging/${randomUUID()} +é`;
    const request = await store.presignPut(key, { sizeBytes: 1000, expiresInSeconds: 60 });
    assert.equal(await send(request, randomBytes(1001)), 403);
    assert.equal(await send(request, randomBytes(999)), 403);
    assert.equal(await store.head(key), null);
    assert.equal(await send(request, randomBytes(1000)), 200);
    assert.equal((await store.head(key))?.sizeBytes, 1000);
    await store.delete(key);
    await store.close();
  });

  Deno.test("presignPut() makes URLs that expire", async () => {
    await makeBucket();
    const now = (): Date => new Date(Date.now() - 120_000);
    const store = createS3ObjectStore({ ...s3, now });
    const key = `staging/${randomUUID()}`;
    const request = await store.presignPut(key, { sizeBytes: 3, expiresInSeconds: 60 });
    assert.ok(request.expiresAt.getTime() < Date.now());
    assert.equal(await send(request, randomBytes(3)), 403);
    await store.close();
  });

  Deno.test("presignPart() lets a client store the parts of an upload", async () => {
    await makeBucket();
    const store = createS3ObjectStore(s3);
    const key = `staging/${randomUUID()}`;
    const bytes = randomBytes(MIN_PART_SIZE_BYTES + 11);
    const upload = await store.createMultipart(key, { partSizeBytes: MIN_PART_SIZE_BYTES });
    const slices = [bytes.subarray(0, MIN_PART_SIZE_BYTES), bytes.subarray(MIN_PART_SIZE_BYTES)];
    for (const [index, slice] of slices.entries()) {
      const options = { partNumber: index + 1, sizeBytes: slice.byteLength, expiresInSeconds: 60 };
      assert.equal(await send(await store.presignPart(upload, options), slice), 200);
    }
    const parts = await store.listParts(upload);
    assert.ok(parts);
    assert.deepEqual(parts.map((part) => part.sizeBytes), [MIN_PART_SIZE_BYTES, 11]);
    await store.completeMultipart(upload, { parts });
    const body = await store.get(key);
    assert.ok(body);
    assertSameBytes(await readAll(body), bytes);
    await store.delete(key);
    await store.close();
  });

  Deno.test("putLifecycle() replaces the bucket's rules", async () => {
    await makeBucket();
    const store = createS3ObjectStore(s3);
    const rules: LifecycleRule[] = [
      {
        id: "expire-staging",
        prefix: "lifecycle-test/",
        transitions: [],
        expireAfterDays: 7,
        abortMultipartAfterDays: 2,
      },
    ];
    await store.putLifecycle(rules);
    assert.deepEqual(await store.getLifecycle(), rules);
    await store.putLifecycle([]);
    assert.deepEqual(await store.getLifecycle(), []);
    await store.close();
  });

  Deno.test("ping() rejects a bucket that is not there and keys that are wrong", async () => {
    await makeBucket();
    for (const wrong of [{ bucket: "facet-no-such-bucket" }, { secretAccessKey: "wrong" }]) {
      const store = createS3ObjectStore({ ...s3, ...wrong });
      await assert.rejects(store.ping(), { code: "storage_error" });
      await store.close();
    }
  });

  Deno.test("get() and list() do not take a missing bucket for an absent object", async () => {
    const store = createS3ObjectStore({ ...s3, bucket: "facet-no-such-bucket" });
    await assert.rejects(store.get("a"), { code: "storage_error" });
    await assert.rejects(store.list("a").next(), { code: "storage_error" });
    await assert.rejects(store.put("a", new Uint8Array(1)), { code: "storage_error" });
    await store.close();
  });
}

async function send(request: PresignedRequest, bytes: Uint8Array): Promise<number> {
  const { method, headers } = request;
  const response = await fetch(request.url, { method, headers, body: bytes as BodyInit });
  await response.body?.cancel();
  return response.status;
}
