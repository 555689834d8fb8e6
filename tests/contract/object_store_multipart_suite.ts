/**
 * The multipart side of the object store's contract.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { hasCode } from "../../src/errors.ts";
import {
  MIN_PART_SIZE_BYTES,
  type ObjectStore,
  type OpenMultipartUpload,
} from "../../src/core/object_store.ts";
import { createMultipartWriter, writeMultipart } from "../../src/core/multipart_writer.ts";
import { listAll, readAll, type RegisterStoreTest } from "./object_store_helpers.ts";

const PART = MIN_PART_SIZE_BYTES;

/** Registers the tests of `MultipartStore`, and of the writer on top of it. */
export function testMultipartStore(test: RegisterStoreTest): void {
  testParts(test);
  testWriter(test);
}

function testParts(test: RegisterStoreTest): void {
  test("completeMultipart() joins parts sent in any order", async (store, prefix) => {
    const key = `${prefix}a`;
    const bytes = randomBytes(2 * PART + 12_345);
    const upload = await store.createMultipart(key, { partSizeBytes: PART });
    const third = await store.uploadPart(upload, toPart(3, bytes.subarray(2 * PART)));
    await store.uploadPart(upload, toPart(1, randomBytes(PART)));
    const second = await store.uploadPart(upload, toPart(2, bytes.subarray(PART, 2 * PART)));
    const first = await store.uploadPart(upload, toPart(1, bytes.subarray(0, PART)));
    const parts = [first, second, third];
    assert.deepEqual(await store.listParts(upload), parts);
    assert.equal(await store.head(key), null, "nothing is visible before completion");
    assert.deepEqual(await store.completeMultipart(upload, { parts }), { created: true });
    assert.equal(await hashOf(store, key), sha256(bytes));
    assert.equal((await store.head(key))?.sizeBytes, bytes.byteLength);
    assert.equal(await store.listParts(upload), null);
    assert.deepEqual(await listOpen(store, prefix), []);
    assert.deepEqual(await store.completeMultipart(upload, { parts }), { created: true });
  });

  test("abortMultipart() leaves nothing, twice", async (store, prefix) => {
    const key = `${prefix}a`;
    const upload = await store.createMultipart(key, { partSizeBytes: PART });
    const part = await store.uploadPart(upload, toPart(1, randomBytes(PART)));
    assert.equal((await listOpen(store, prefix)).length, 1);
    await store.abortMultipart(upload);
    await store.abortMultipart(upload);
    assert.deepEqual(await listOpen(store, prefix), []);
    assert.equal(await store.listParts(upload), null);
    assert.equal(await store.head(key), null);
    const isGone = (error: unknown): boolean => hasCode(error, "object_mismatch");
    await assert.rejects(store.uploadPart(upload, toPart(2, randomBytes(10))), isGone);
    await assert.rejects(store.completeMultipart(upload, { parts: [part] }), isGone);
    assert.deepEqual(await listAll(store, prefix), []);
  });

  test("completeMultipart() rejects parts that are not the stored ones", async (store, prefix) => {
    const upload = await store.createMultipart(`${prefix}a`, { partSizeBytes: PART });
    const part = await store.uploadPart(upload, toPart(1, randomBytes(PART)));
    const wrong = { ...part, etag: `"${"0".repeat(32)}"` };
    const missing = { ...part, partNumber: 2 };
    for (const parts of [[], [wrong], [part, missing]]) {
      await assert.rejects(
        store.completeMultipart(upload, { parts }),
        (error) => hasCode(error, "object_mismatch"),
      );
    }
    assert.equal(await store.head(`${prefix}a`), null);
    await store.abortMultipart(upload);
  });

  test("completeMultipart() with ifAbsent keeps what is there", async (store, prefix) => {
    const key = `${prefix}a`;
    const upload = await store.createMultipart(key, { partSizeBytes: PART });
    const part = await store.uploadPart(upload, toPart(1, randomBytes(100)));
    await store.put(key, new TextEncoder().encode("first"));
    const result = await store.completeMultipart(upload, { parts: [part], ifAbsent: true });
    assert.deepEqual(result, { created: false });
    assert.equal((await store.head(key))?.sizeBytes, 5);
    assert.deepEqual(await listOpen(store, prefix), []);
  });

  test("listMultipartUploads() finds open uploads by prefix", async (store, prefix) => {
    const options = { partSizeBytes: PART };
    const a = await store.createMultipart(`${prefix}a/1`, options);
    const other = await store.createMultipart(`${prefix}a/1`, options);
    const ab = await store.createMultipart(`${prefix}ab/1`, options);
    const found = await listOpen(store, `${prefix}a/`);
    assert.deepEqual(
      found.map(({ uploadId }) => uploadId).sort(),
      [a.uploadId, other.uploadId].sort(),
    );
    for (const upload of found) {
      assert.equal(upload.key, `${prefix}a/1`);
      assert.ok(Math.abs(upload.initiatedAt.getTime() - Date.now()) < 60_000);
    }
    assert.deepEqual(await store.listParts(a), []);
    for (const upload of [a, other, ab]) await store.abortMultipart(upload);
    assert.deepEqual(await listOpen(store, prefix), []);
  });

  test("uploadPart() is refused for another key or an unknown id", async (store, prefix) => {
    const upload = await store.createMultipart(`${prefix}a`, { partSizeBytes: PART });
    for (const wrong of [{ ...upload, key: `${prefix}b` }, { ...upload, uploadId: "../../x" }]) {
      await assert.rejects(
        store.uploadPart(wrong, toPart(1, randomBytes(10))),
        (error) => hasCode(error, "object_mismatch"),
      );
      assert.equal(await store.listParts(wrong), null);
    }
    await store.abortMultipart(upload);
  });
}

function testWriter(test: RegisterStoreTest): void {
  test("writeMultipart() stores ragged chunks as one object", async (store, prefix) => {
    const bytes = randomBytes(3 * PART + 1);
    const result = await writeMultipart(store, `${prefix}a`, {
      maxBytes: 4 * PART,
      partSizeBytes: PART,
      chunks: toChunks(bytes, [1, 70_000, PART + 3, 2 * PART, 5]),
    });
    assert.deepEqual(result, { created: true, sizeBytes: bytes.byteLength });
    assert.equal(await hashOf(store, `${prefix}a`), sha256(bytes));
  });

  test("writeMultipart() stores exact multiples and nothing at all", async (store, prefix) => {
    for (const sizeBytes of [0, 1, PART, 2 * PART]) {
      const bytes = randomBytes(sizeBytes);
      await writeMultipart(store, `${prefix}${sizeBytes}`, {
        maxBytes: 4 * PART,
        partSizeBytes: PART,
        chunks: toChunks(bytes, [PART]),
      });
      assert.equal(await hashOf(store, `${prefix}${sizeBytes}`), sha256(bytes));
    }
  });

  test("writeMultipart() leaves nothing when the source fails", async (store, prefix) => {
    const failure = new Error("the client went away");
    const chunks = async function* (): AsyncGenerator<Uint8Array> {
      yield randomBytes(2 * PART);
      await Promise.resolve();
      throw failure;
    };
    await assert.rejects(
      writeMultipart(store, `${prefix}a`, {
        maxBytes: 4 * PART,
        partSizeBytes: PART,
        chunks: chunks(),
      }),
      (error) => error === failure,
    );
    assert.equal(await store.head(`${prefix}a`), null);
    assert.deepEqual(await listOpen(store, prefix), []);
  });

  test("createMultipartWriter() aborts when disposed without completion", async (store, prefix) => {
    {
      await using writer = createMultipartWriter(store, `${prefix}a`, {
        maxBytes: 4 * PART,
        partSizeBytes: PART,
      });
      await writer.write(randomBytes(PART + 1));
      assert.notEqual(writer.upload, null);
    }
    assert.deepEqual(await listOpen(store, prefix), []);
  });
}

function toPart(partNumber: number, bytes: Uint8Array): { partNumber: number; bytes: Uint8Array } {
  return { partNumber, bytes };
}

async function* toChunks(bytes: Uint8Array, sizes: number[]): AsyncGenerator<Uint8Array> {
  let offset = 0;
  for (let i = 0; offset < bytes.byteLength; i++) {
    const size = sizes[i % sizes.length]!;
    yield bytes.subarray(offset, offset + size);
    await Promise.resolve();
    offset += size;
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function hashOf(store: ObjectStore, key: string): Promise<string> {
  const body = await store.get(key);
  assert.ok(body);
  return sha256(await readAll(body));
}

async function listOpen(store: ObjectStore, prefix: string): Promise<OpenMultipartUpload[]> {
  const uploads: OpenMultipartUpload[] = [];
  for await (const upload of store.listMultipartUploads(prefix)) uploads.push(upload);
  return uploads;
}
