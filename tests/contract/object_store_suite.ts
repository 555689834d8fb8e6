/**
 * What every object store has to do, whatever is behind it. Run by `object_store_disk_test.ts` and
 * `object_store_s3_test.ts`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes, randomUUID } from "node:crypto";
import { hasCode } from "../../src/errors.ts";
import { compareObjectKeys } from "../../src/core/object_keys.ts";
import {
  MIN_PART_SIZE_BYTES,
  type ObjectInfo,
  type ObjectStore,
} from "../../src/core/object_store.ts";
import {
  assertSameBytes,
  encode,
  listAll,
  readAll,
  readText,
  type RegisterStoreTest,
} from "./object_store_helpers.ts";
import { testMultipartStore } from "./object_store_multipart_suite.ts";

/** A store under test. */
export interface StoreUnderTest {
  readonly store: ObjectStore;
  /** Closes the store and removes what the test left. */
  cleanup(): Promise<void>;
}

/** How to make a store, and what it cannot do. */
export interface ObjectStoreSuiteOptions {
  readonly name: string;
  readonly create: () => Promise<StoreUnderTest>;
  /** Whether the store has another storage class to move objects to. */
  readonly tiers: boolean;
  /** Whether archived objects refuse reads until restored (Ceph's plain classes do not). */
  readonly archives: boolean;
}

/** Registers the whole suite. */
export function testObjectStore(options: ObjectStoreSuiteOptions): void {
  const test: RegisterStoreTest = (title, body) =>
    Deno.test(`${options.name} ${title}`, async () => {
      const { store, cleanup } = await options.create();
      try {
        await body(store, `contract-${randomUUID()}/`);
      } finally {
        await cleanup();
      }
    });
  testReadingAndWriting(test);
  testConditionalWrites(test);
  testCopyAndDelete(test);
  testListing(test);
  testMultipartStore(test);
  testRestore(test);
  if (options.tiers) testTiers(test);
  if (options.archives) testArchive(test);
  testAborts(test);
}

function testReadingAndWriting(test: RegisterStoreTest): void {
  test("get() and head() are null when nothing was put", async (store, prefix) => {
    assert.equal(await store.get(`${prefix}none`), null);
    assert.equal(await store.head(`${prefix}none`), null);
    assert.equal(await store.get(`${prefix}none/below`), null);
  });

  test("get() returns what put() stored, with size and time", async (store, prefix) => {
    const bytes = randomBytes(300_001);
    const before = Date.now();
    assert.deepEqual(await store.put(`${prefix}a`, bytes), { created: true });
    const head = await store.head(`${prefix}a`);
    assert.ok(head);
    assert.equal(head.key, `${prefix}a`);
    assert.equal(head.sizeBytes, bytes.byteLength);
    assert.equal(head.storageClass, "standard");
    assert.equal(head.restore, null);
    assert.ok(Math.abs(head.lastModifiedAt.getTime() - before) < 60_000);
    const body = await store.get(`${prefix}a`);
    assert.ok(body);
    assert.equal(body.sizeBytes, bytes.byteLength);
    assert.equal(body.totalBytes, bytes.byteLength);
    assert.equal(body.etag, head.etag);
    assertSameBytes(await readAll(body), bytes);
  });

  test("put() replaces an object and changes its etag", async (store, prefix) => {
    await store.put(`${prefix}a`, encode("first"));
    const first = await store.head(`${prefix}a`);
    await store.put(`${prefix}a`, encode("the second"));
    const second = await store.head(`${prefix}a`);
    assert.notEqual(first?.etag, second?.etag);
    assert.equal(await readText(store, `${prefix}a`), "the second");
  });

  test("put() and get() handle an object of zero bytes", async (store, prefix) => {
    await store.put(`${prefix}empty`, new Uint8Array(0), { sha256: SHA256_OF_NOTHING });
    assert.equal((await store.head(`${prefix}empty`))?.sizeBytes, 0);
    const body = await store.get(`${prefix}empty`);
    assert.ok(body);
    assert.equal((await readAll(body)).byteLength, 0);
    await assert.rejects(
      store.get(`${prefix}empty`, { range: { offsetBytes: 0, lengthBytes: 1 } }),
      (error) => hasCode(error, "range_not_satisfiable"),
    );
  });

  test("get() returns ranges, cut at the end of the object", async (store, prefix) => {
    const bytes = randomBytes(1000);
    await store.put(`${prefix}a`, bytes);
    for (const [offsetBytes, lengthBytes] of [[0, 1], [0, 1000], [999, 1], [10, 100], [990, 99]]) {
      const range = { offsetBytes: offsetBytes!, lengthBytes: lengthBytes! };
      const body = await store.get(`${prefix}a`, { range });
      assert.ok(body);
      const expected = bytes.subarray(offsetBytes!, offsetBytes! + lengthBytes!);
      assert.equal(body.sizeBytes, expected.byteLength);
      assert.equal(body.totalBytes, 1000);
      assertSameBytes(await readAll(body), expected);
    }
  });

  test("get() rejects ranges that begin past the end or are no ranges", async (store, prefix) => {
    await store.put(`${prefix}a`, randomBytes(1000));
    await assert.rejects(
      store.get(`${prefix}a`, { range: { offsetBytes: 1000, lengthBytes: 1 } }),
      (error) => hasCode(error, "range_not_satisfiable"),
    );
    for (const range of [[-1, 1], [0, 0], [0.5, 1], [0, Number.NaN]]) {
      await assert.rejects(
        store.get(`${prefix}a`, { range: { offsetBytes: range[0]!, lengthBytes: range[1]! } }),
        (error) => hasCode(error, "invalid_request"),
      );
    }
  });

  test("get() lets its stream be cancelled half-way", async (store, prefix) => {
    await store.put(`${prefix}a`, randomBytes(3_000_000));
    const body = await store.get(`${prefix}a`);
    assert.ok(body);
    const reader = body.stream.getReader();
    assert.ok(!(await reader.read()).done);
    await reader.cancel();
  });

  test("put() keeps keys with odd characters apart", async (store, prefix) => {
    for (const name of ODD_NAMES) await store.put(prefix + name, encode(name));
    for (const name of ODD_NAMES) assert.equal(await readText(store, prefix + name), name);
    const listed = (await listAll(store, prefix)).map((info) => info.key);
    assert.deepEqual(listed, ODD_NAMES.map((name) => prefix + name).sort(compareObjectKeys));
    await store.deleteMany(listed);
    assert.deepEqual(await listAll(store, prefix), []);
  });

  test("every method rejects keys that are paths in disguise", async (store, prefix) => {
    for (
      const key of ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\0b", "a\nb", "\ud800"]
    ) {
      const isInvalid = (error: unknown): boolean => hasCode(error, "invalid_request");
      await assert.rejects(store.put(key, encode("x")), isInvalid, JSON.stringify(key));
      await assert.rejects(store.get(key), isInvalid);
      await assert.rejects(store.head(key), isInvalid);
      await assert.rejects(store.delete(key), isInvalid);
      await assert.rejects(store.copy(key, `${prefix}a`), isInvalid);
      await assert.rejects(store.copy(`${prefix}a`, key), isInvalid);
    }
  });

  test("put() rejects bytes that do not have the declared SHA-256", async (store, prefix) => {
    await assert.rejects(
      store.put(`${prefix}a`, encode("some bytes"), { sha256: SHA256_OF_NOTHING }),
      (error) => hasCode(error, "object_mismatch"),
    );
    assert.equal(await store.head(`${prefix}a`), null);
  });

  test("ping() resolves when the store can be used", (store) => store.ping());
}

function testConditionalWrites(test: RegisterStoreTest): void {
  test("put() with ifAbsent leaves an existing object as it is", async (store, prefix) => {
    const key = `${prefix}a`;
    assert.deepEqual(await store.put(key, encode("one"), { ifAbsent: true }), { created: true });
    assert.deepEqual(await store.put(key, encode("two"), { ifAbsent: true }), { created: false });
    assert.equal(await readText(store, key), "one");
  });

  test("put() with ifAbsent lets one of many writers win", async (store, prefix) => {
    const key = `${prefix}a`;
    const writers = Array.from({ length: 16 }, (_, i) => `writer ${i}`);
    const results = await Promise.all(
      writers.map((name) => store.put(key, encode(name), { ifAbsent: true })),
    );
    const winners = writers.filter((_, i) => results[i]!.created);
    assert.equal(winners.length, 1);
    assert.equal(await readText(store, key), winners[0]);
  });

  test("put() by many writers at once leaves one whole object", async (store, prefix) => {
    const key = `${prefix}a`;
    const bodies = Array.from({ length: 8 }, (_, i) => new Uint8Array(200_000).fill(i));
    await Promise.all(bodies.map((body) => store.put(key, body)));
    const body = await store.get(key);
    assert.ok(body);
    const bytes = await readAll(body);
    assert.equal(bytes.byteLength, 200_000);
    assert.ok(bytes.every((byte) => byte === bytes[0]));
  });
}

function testCopyAndDelete(test: RegisterStoreTest): void {
  test("copy() duplicates an object and is null when there is none", async (store, prefix) => {
    await store.put(`${prefix}a`, encode("bytes"), { contentType: "text/html" });
    assert.deepEqual(await store.copy(`${prefix}a`, `${prefix}b c+d/é`), { created: true });
    assert.equal(await readText(store, `${prefix}b c+d/é`), "bytes");
    assert.equal(await readText(store, `${prefix}a`), "bytes");
    assert.equal(await store.copy(`${prefix}none`, `${prefix}c`), null);
    assert.equal(await store.head(`${prefix}c`), null);
  });

  test("copy() twice is as good as once and outlives its source", async (store, prefix) => {
    await store.put(`${prefix}a`, encode("bytes"));
    await store.copy(`${prefix}a`, `${prefix}b`);
    await store.copy(`${prefix}a`, `${prefix}b`);
    await store.delete(`${prefix}a`);
    assert.equal(await store.head(`${prefix}a`), null);
    assert.equal(await readText(store, `${prefix}b`), "bytes");
  });

  test("copy() with ifAbsent leaves an existing object as it is", async (store, prefix) => {
    await store.put(`${prefix}a`, encode("new"));
    await store.put(`${prefix}b`, encode("old"));
    const options = { ifAbsent: true };
    assert.deepEqual(await store.copy(`${prefix}a`, `${prefix}b`, options), { created: false });
    assert.deepEqual(await store.copy(`${prefix}a`, `${prefix}c`, options), { created: true });
    assert.equal(await readText(store, `${prefix}b`), "old");
    assert.equal(await readText(store, `${prefix}c`), "new");
  });

  test("copy() with ifMatch refuses a source that was replaced", async (store, prefix) => {
    await store.put(`${prefix}a`, encode("checked"));
    const body = await store.get(`${prefix}a`);
    assert.ok(body);
    await readAll(body);
    const options = { ifMatch: body.etag };
    assert.deepEqual(await store.copy(`${prefix}a`, `${prefix}b`, options), { created: true });
    await store.put(`${prefix}a`, encode("smuggled"));
    await assert.rejects(
      store.copy(`${prefix}a`, `${prefix}c`, options),
      (error) => hasCode(error, "object_mismatch"),
    );
    assert.equal(await store.head(`${prefix}c`), null);
    assert.equal(await readText(store, `${prefix}b`), "checked");
  });

  test("delete() removes an object and does not mind an absent one", async (store, prefix) => {
    await store.put(`${prefix}a`, encode("x"));
    await store.delete(`${prefix}a`);
    await store.delete(`${prefix}a`);
    assert.equal(await store.get(`${prefix}a`), null);
  });

  test("deleteMany() removes what is there", async (store, prefix) => {
    await Promise.all(["a", "b", "keep"].map((name) => store.put(prefix + name, encode(name))));
    const { failedKeys } = await store.deleteMany([`${prefix}a`, `${prefix}none`, `${prefix}b`]);
    assert.deepEqual(failedKeys, []);
    assert.deepEqual((await listAll(store, prefix)).map((info) => info.key), [`${prefix}keep`]);
    assert.deepEqual(await store.deleteMany([]), { failedKeys: [] });
  });
}

function testListing(test: RegisterStoreTest): void {
  test("list() is in byte order, with sizes, and knows a from ab", async (store, prefix) => {
    const names = ["a/1", "a/2/x", "a-", "a.b/c", "a0", "ab/1", "aé", "a\uff01", "a\u{1f600}", "B"];
    for (const name of names) await store.put(prefix + name, encode(name));
    const listed = await listAll(store, prefix);
    const sorted = names.toSorted((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
    assert.deepEqual(listed.map((info) => info.key), sorted.map((name) => prefix + name));
    for (const info of listed) {
      assert.equal(info.sizeBytes, encode(info.key.slice(prefix.length)).byteLength);
      assert.equal(info.storageClass, "standard");
    }
    const below = async (part: string): Promise<string[]> =>
      (await listAll(store, prefix + part)).map((info) => info.key.slice(prefix.length));
    assert.deepEqual(await below("a/"), ["a/1", "a/2/x"]);
    assert.deepEqual(await below("ab"), ["ab/1"]);
    assert.deepEqual(await below("a/2"), ["a/2/x"]);
    assert.deepEqual(await below("none/"), []);
    assert.deepEqual(await below("../"), []);
  });

  test("list() goes on after any key, present or not", async (store, prefix) => {
    const names = ["a/1", "a/2", "a-", "ab/1", "b/c/d", "b/c/e"].sort(compareObjectKeys);
    for (const name of names) await store.put(prefix + name, encode("x"));
    for (const after of [...names, "a", "a/", "a/0", "a/3", "b/c", "b/c/", "b/c/dd", "zz"]) {
      const listed = await listAll(store, prefix, { startAfter: prefix + after, pageSize: 2 });
      const expected = names.filter((name) => compareObjectKeys(name, after) > 0);
      assert.deepEqual(listed.map((info) => info.key.slice(prefix.length)), expected, after);
    }
    assert.deepEqual(await listAll(store, prefix, { startAfter: "zzz" }), []);
  });

  test("list() pages through more than 1,000 objects", async (store, prefix) => {
    const keys = Array.from(
      { length: 1_103 },
      (_, i) => `${prefix}${String(i % 7)}/${String(i).padStart(5, "0")}`,
    ).sort(compareObjectKeys);
    for (let i = 0; i < keys.length; i += 50) {
      await Promise.all(keys.slice(i, i + 50).map((key) => store.put(key, encode(key))));
    }
    for (const pageSize of [undefined, 100]) {
      const pages: ObjectInfo[][] = [];
      for await (const page of store.list(prefix, { pageSize })) pages.push(page);
      assert.deepEqual(pages.flat().map((info) => info.key), keys);
      assert.ok(pages.every((page) => page.length >= 1 && page.length <= (pageSize ?? 1000)));
      assert.equal(pages.length, Math.ceil(keys.length / (pageSize ?? 1000)));
    }
    assert.deepEqual(await store.deleteMany(keys), { failedKeys: [] });
    assert.deepEqual(await listAll(store, prefix), []);
  });
}

function testTiers(test: RegisterStoreTest): void {
  test("setStorageClass() moves an object without changing it", async (store, prefix) => {
    const key = `${prefix}a`;
    await store.put(key, encode("bytes"));
    assert.equal(await store.setStorageClass(key, "infrequent"), true);
    assert.equal((await store.head(key))?.storageClass, "infrequent");
    assert.equal(await readText(store, key), "bytes");
    assert.equal((await listAll(store, prefix))[0]?.storageClass, "infrequent");
    assert.equal(await store.setStorageClass(key, "standard"), true);
    assert.equal((await store.head(key))?.storageClass, "standard");
  });
}

function testRestore(test: RegisterStoreTest): void {
  test("setStorageClass() and restore() know when there is nothing", async (store, prefix) => {
    assert.equal(await store.setStorageClass(`${prefix}none`, "infrequent"), false);
    assert.equal(await store.restore(`${prefix}none`, { days: 1 }), null);
  });

  test("restore() has nothing to do for an object that can be read", async (store, prefix) => {
    await store.put(`${prefix}a`, encode("bytes"));
    const state = await store.restore(`${prefix}a`, { days: 1 });
    assert.deepEqual(state, { ongoing: false, expiresAt: null });
  });
}

function testArchive(test: RegisterStoreTest): void {
  test("get() refuses an archived object until it is restored", async (store, prefix) => {
    const key = `${prefix}a`;
    await store.put(key, encode("bytes"));
    await store.setStorageClass(key, "archive");
    const isArchived = (error: unknown): boolean => hasCode(error, "asset_archived");
    await assert.rejects(store.get(key), isArchived);
    await assert.rejects(store.copy(key, `${prefix}b`), isArchived);
    assert.equal((await store.head(key))?.storageClass, "archive");
    assert.equal((await listAll(store, prefix))[0]?.storageClass, "archive");
    const state = await store.restore(key, { days: 3 });
    assert.equal(state?.ongoing, false);
    assert.equal(await readText(store, key), "bytes");
    assert.equal((await store.head(key))?.storageClass, "archive");
    assert.equal(await store.setStorageClass(key, "standard"), true);
    assert.equal((await store.head(key))?.storageClass, "standard");
  });

  test("put() of an archived key makes it standard again", async (store, prefix) => {
    await store.put(`${prefix}a`, encode("bytes"));
    await store.setStorageClass(`${prefix}a`, "archive");
    await store.put(`${prefix}a`, encode("anew"));
    assert.equal(await readText(store, `${prefix}a`), "anew");
  });
}

function testAborts(test: RegisterStoreTest): void {
  test("every method throws the signal's reason when aborted", async (store, prefix) => {
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    const key = `${prefix}a`;
    const upload = { key, uploadId: "0".repeat(32), partSizeBytes: MIN_PART_SIZE_BYTES };
    const calls: Promise<unknown>[] = [
      store.put(key, encode("x"), { signal }),
      store.get(key, { signal }),
      store.head(key, { signal }),
      store.copy(key, `${key}b`, { signal }),
      store.delete(key, { signal }),
      store.deleteMany([key], { signal }),
      store.createMultipart(key, { partSizeBytes: MIN_PART_SIZE_BYTES, signal }),
      store.uploadPart(upload, { partNumber: 1, bytes: encode("x"), signal }),
      store.listParts(upload, { signal }),
      store.ping({ signal }),
      listAll(store, prefix, { signal }),
    ];
    for (const call of calls) await assert.rejects(call, (error) => error === reason);
    assert.equal(await store.head(key), null);
  });

  test("get() ends its stream with the signal's reason when aborted", async (store, prefix) => {
    await store.put(`${prefix}a`, randomBytes(3_000_000));
    const abort = new AbortController();
    const body = await store.get(`${prefix}a`, { signal: abort.signal });
    assert.ok(body);
    const reader = body.stream.getReader();
    await reader.read();
    const reason = new Error("enough");
    abort.abort(reason);
    await assert.rejects(async () => {
      while (!(await reader.read()).done);
    }, (error) => error === reason);
  });
}

const SHA256_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const ODD_NAMES = [
  "a b",
  "a+b",
  "a%20b",
  "a%2Fb",
  "a&b=c?d#e",
  "é",
  "e\u0301",
  "日本語/ファイル",
  "\u{1f600}",
  "..a",
  "a..",
  "...",
  "~tilde'(quote)!*",
  'quote"back\\slash',
  "<xml>&amp;",
  "a:b|c",
  "x".repeat(200),
];
