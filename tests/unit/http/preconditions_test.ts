import assert from "node:assert/strict";
import { resolveByteRange } from "../../../src/http/byte_range.ts";
import {
  matchesIfMatch,
  matchesIfNoneMatch,
  matchesIfRange,
  parseEntityTags,
} from "../../../src/http/conditional_requests.ts";

Deno.test("parseEntityTags() reads lists as RFC 9110 has them", () => {
  assert.equal(parseEntityTags(" * "), "*");
  assert.deepEqual(parseEntityTags('"a", W/"b,c" ,"d"'), [
    { tag: '"a"', weak: false },
    { tag: '"b,c"', weak: true },
    { tag: '"d"', weak: false },
  ]);
  assert.deepEqual(parseEntityTags('a, "b"'), []);
  assert.deepEqual(parseEntityTags('"a" "b"'), []);
  assert.deepEqual(parseEntityTags(""), []);
  assert.equal(parseEntityTags('"x",'.repeat(10_000)).length, 64);
});

Deno.test("matchesIfNoneMatch() compares weakly, matchesIfMatch() and matchesIfRange() strongly", () => {
  const etag = '"a"';
  assert.ok(matchesIfNoneMatch('W/"a"', etag, { exists: false }));
  assert.ok(!matchesIfNoneMatch("*", etag, { exists: false }));
  assert.ok(matchesIfNoneMatch("*", etag, { exists: true }));
  assert.ok(!matchesIfNoneMatch('"A"', etag, { exists: true }));
  assert.ok(matchesIfMatch('"b", "a"', etag));
  assert.ok(!matchesIfMatch('W/"a"', etag));
  assert.ok(matchesIfRange(undefined, etag));
  assert.ok(matchesIfRange('"a"', etag));
  assert.ok(!matchesIfRange('W/"a"', etag));
});

Deno.test("resolveByteRange() stays within the representation, whatever is asked", () => {
  const sizes = [0, 1, 10, 2 ** 40];
  const numbers = ["", "0", "1", "9", "10", "11", "999999999999999", "9999999999999999", "-1"];
  for (const size of sizes) {
    for (const first of numbers) {
      for (const last of numbers) {
        const range = resolveByteRange(`bytes=${first}-${last}`, size);
        if (range.kind !== "part") continue;
        assert.ok(0 <= range.start && range.start <= range.end && range.end < size);
      }
    }
  }
  assert.deepEqual(resolveByteRange("bytes=-5", 3), { kind: "part", start: 0, end: 2 });
  assert.deepEqual(resolveByteRange("BYTES=0-0", 3), { kind: "part", start: 0, end: 0 });
  assert.deepEqual(resolveByteRange("bytes=0-", 0), { kind: "unsatisfiable" });
  assert.deepEqual(resolveByteRange("bytes=0-1,2-3", 9), { kind: "whole" });
  assert.deepEqual(resolveByteRange(undefined, 9), { kind: "whole" });
});
