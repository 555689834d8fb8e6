import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { parseContentHash } from "../../../src/core/content_hash.ts";
import {
  compareObjectKeys,
  formatQuarantineKey,
  formatRawKey,
  formatRawShardPrefix,
  formatStagingKey,
  isObjectKey,
  parseQuarantineKey,
  parseRawKey,
  parseStagingKey,
  RAW_SHARDS,
} from "../../../src/core/object_keys.ts";

const HASH = parseContentHash(`ab${"cd"}${"0".repeat(60)}`);

Deno.test("formatRawKey() puts the hash below two folders, and parseRawKey() reads it", () => {
  const key = formatRawKey(HASH);
  assert.equal(key, `raw/ab/cd/${HASH}`);
  assert.equal(parseRawKey(key), HASH);
});

Deno.test("parseRawKey() is null for every other spelling", () => {
  const key = formatRawKey(HASH);
  const others = [
    "",
    HASH,
    `raw/${HASH}`,
    `raw/ab/ce/${HASH}`,
    `raw/ab/cd/${HASH}/`,
    `/${key}`,
    `raw/AB/CD/${HASH.toUpperCase()}`,
    `raw/ab/cd/${HASH.slice(1)}`,
    `quarantine/${key}`,
  ];
  for (const other of others) assert.equal(parseRawKey(other), null, other);
});

Deno.test("formatRawShardPrefix() covers every hash once, in order", () => {
  const prefixes = Array.from({ length: RAW_SHARDS }, (_, i) => formatRawShardPrefix(i));
  assert.equal(prefixes[0], "raw/00/");
  assert.equal(prefixes[255], "raw/ff/");
  assert.deepEqual(prefixes.toSorted(compareObjectKeys), prefixes);
  assert.equal(prefixes.filter((prefix) => formatRawKey(HASH).startsWith(prefix)).length, 1);
  for (const wrong of [-1, 256, 1.5, NaN]) assert.throws(() => formatRawShardPrefix(wrong));
});

Deno.test("formatStagingKey() rejects ids that could name another key", () => {
  assert.equal(parseStagingKey(formatStagingKey("a-1_B")), "a-1_B");
  for (const id of ["", "..", "a/b", "a b", "é", "a".repeat(129)]) {
    assert.throws(() => formatStagingKey(id), { code: "invalid_id" });
    assert.equal(parseStagingKey(`staging/${id}`), null);
  }
  assert.equal(parseStagingKey("raw/a"), null);
});

Deno.test("parseQuarantineKey() gives the former key back", () => {
  const key = formatRawKey(HASH);
  assert.equal(parseQuarantineKey(formatQuarantineKey(key)), key);
  assert.equal(parseQuarantineKey(key), null);
  assert.equal(parseQuarantineKey("quarantine/"), null);
  assert.throws(() => formatQuarantineKey("../raw"), { code: "invalid_request" });
});

Deno.test("isObjectKey() counts bytes, not characters", () => {
  assert.equal(isObjectKey("a".repeat(1024)), true);
  assert.equal(isObjectKey("a".repeat(1025)), false);
  assert.equal(isObjectKey("é".repeat(512)), true);
  assert.equal(isObjectKey("é".repeat(513)), false);
});

Deno.test("isObjectKey() rejects paths in disguise and what listings cannot carry", () => {
  for (const key of ["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "./a", "a\u0000", "a\u007f"]) {
    assert.equal(isObjectKey(key), false, JSON.stringify(key));
  }
  for (const key of ["\ud800", "\uffff", "\ufffe", "a\tb"]) assert.equal(isObjectKey(key), false);
  for (const key of ["a", "...", "..a", "a b", "%2e%2e", "\\", "\u{1f600}"]) {
    assert.equal(isObjectKey(key), true, key);
  }
});

Deno.test("compareObjectKeys() orders as the bytes of UTF-8 do", () => {
  const keys = ["", "a", "a-", "a/", "a0", "ab", "\u007f", "é", "\ud7ff", "\ue000", "\uff01"];
  keys.push("\u{10000}", "\u{1f600}", "\u{1f601}", "a\uff01", "a\u{1f600}", "a\u{1f600}b");
  for (const a of keys) {
    for (const b of keys) {
      const expected = Buffer.compare(Buffer.from(a), Buffer.from(b));
      assert.equal(Math.sign(compareObjectKeys(a, b)), expected, JSON.stringify([a, b]));
    }
  }
});
