import assert from "node:assert/strict";
import type { ContentHash } from "../../../src/core/content_hash.ts";
import { createMemoryCache } from "../../../src/variants/memory_cache.ts";

const A = "aa".repeat(32) as ContentHash;
const B = "bb".repeat(32) as ContentHash;
const KIB = 1024;

function entry(sizeBytes: number) {
  return { bytes: new Uint8Array(sizeBytes) };
}

function key(hash: ContentHash, variant: string) {
  return { hash, variant };
}

Deno.test("createMemoryCache() drops what was not used for longest, and never exceeds its size", () => {
  const cache = createMemoryCache<{ bytes: Uint8Array<ArrayBuffer> }>(15 * KIB);
  for (const name of ["1", "2", "3", "4", "5"]) cache.set(key(A, name), entry(KIB));
  cache.get(key(A, "1"));
  cache.set(key(A, "6"), entry(KIB));
  assert.equal(cache.get(key(A, "2")), undefined);
  assert.ok(cache.get(key(A, "1")));
  for (let i = 0; i < 1_000; i++) {
    cache.set(key(i % 2 ? A : B, `${i % 37}`), entry(i * 7 % 3_000));
    assert.ok(cache.sizeBytes <= 15 * KIB);
  }
});

Deno.test("createMemoryCache() keeps nothing that is larger than itself, and nothing at size 0", () => {
  const cache = createMemoryCache<{ bytes: Uint8Array<ArrayBuffer> }>(4 * KIB);
  cache.set(key(A, "small"), entry(10));
  cache.set(key(A, "large"), entry(4 * KIB));
  assert.ok(cache.get(key(A, "small")));
  assert.equal(cache.get(key(A, "large")), undefined);
  const none = createMemoryCache<{ bytes: Uint8Array<ArrayBuffer> }>(0);
  none.set(key(A, "1"), entry(1));
  assert.equal(none.entryCount, 0);
});

Deno.test("createMemoryCache() counts a replaced entry once", () => {
  const cache = createMemoryCache<{ bytes: Uint8Array<ArrayBuffer> }>(100 * KIB);
  for (let i = 0; i < 10; i++) cache.set(key(A, "1"), entry(2 * KIB));
  // Twice its bytes, for the reply that holds them too, and what is around them.
  assert.equal(cache.sizeBytes, 5 * KIB);
  cache.delete(key(A, "1"));
  cache.delete(key(A, "1"));
  assert.equal(cache.sizeBytes, 0);
});

Deno.test("createMemoryCache() removes all of one asset, or of all", () => {
  const cache = createMemoryCache<{ bytes: Uint8Array<ArrayBuffer> }>(100 * KIB);
  for (const name of ["1", "2", "3"]) cache.set(key(A, name), entry(1));
  cache.set(key(B, "1"), entry(1));
  assert.equal(cache.deleteAll(A), 3);
  assert.equal(cache.deleteAll(A), 0);
  assert.equal(cache.entryCount, 1);
  assert.equal(cache.deleteAll(null), 1);
  assert.equal(cache.sizeBytes, 0);
});
