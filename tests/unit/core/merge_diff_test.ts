import assert from "node:assert/strict";
import { mergeDiff } from "../../../src/core/merge_diff.ts";
import { compareObjectKeys } from "../../../src/core/object_keys.ts";

async function* pagesOf(keys: readonly string[], size: number): AsyncGenerator<string[]> {
  for (let at = 0; at < keys.length; at += size) {
    await Promise.resolve();
    yield keys.slice(at, at + size);
  }
}

async function diff(left: readonly string[], right: readonly string[], size = 2) {
  const pairs: [string | null, string | null][] = [];
  await mergeDiff(pagesOf(left, size), pagesOf(right, size + 1), {
    leftKey: (key) => key,
    rightKey: (key) => key,
    compare: compareObjectKeys,
    visit: (a, b) => void pairs.push([a, b]),
  });
  return pairs;
}

Deno.test("mergeDiff() tells for each key which stream has it, in order", async () => {
  assert.deepEqual(await diff(["a", "c", "d", "f"], ["b", "c", "f", "g", "h"]), [
    ["a", null],
    [null, "b"],
    ["c", "c"],
    ["d", null],
    ["f", "f"],
    [null, "g"],
    [null, "h"],
  ]);
  assert.deepEqual(await diff([], []), []);
  assert.deepEqual(await diff(["x"], []), [["x", null]]);
});

Deno.test("mergeDiff() does not confuse keys that share a beginning", async () => {
  assert.deepEqual(await diff(["a", "a/b", "ab"], ["a", "ab", "abc"]), [
    ["a", "a"],
    ["a/b", null],
    ["ab", "ab"],
    [null, "abc"],
  ]);
});

Deno.test("mergeDiff() orders by UTF-8, where UTF-16 would differ", async () => {
  assert.deepEqual(await diff(["\uff01", "\u{1f600}"], ["\u{1f600}"]), [
    ["\uff01", null],
    ["\u{1f600}", "\u{1f600}"],
  ]);
});

Deno.test("mergeDiff() agrees with sets on random streams", async () => {
  let seed = 7;
  const next = () => (seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
  for (let round = 0; round < 200; round++) {
    const pick = () =>
      [...new Set(Array.from({ length: next() * 30 }, () => String(Math.floor(next() * 40))))]
        .sort(compareObjectKeys);
    const [left, right] = [pick(), pick()];
    const expected = [...new Set([...left, ...right])].sort(compareObjectKeys)
      .map((key) => [left.includes(key) ? key : null, right.includes(key) ? key : null]);
    assert.deepEqual(await diff(left, right, 1 + round % 5), expected);
  }
});

Deno.test("mergeDiff() refuses streams that go back or repeat", async () => {
  await assert.rejects(diff(["b", "a"], []), /out of order/);
  await assert.rejects(diff([], ["a", "b", "b"]), /out of order/);
});

Deno.test("mergeDiff() throws what a stream throws, and ends the other", async () => {
  let ended = false;
  async function* failing() {
    yield ["a"];
    await Promise.reject(new Error("cut"));
  }
  async function* endless() {
    try {
      for (let i = 0;; i++) yield [String.fromCharCode(97 + i)];
    } finally {
      ended = true;
      await Promise.resolve();
    }
  }
  const options = { leftKey: String, rightKey: String, compare: compareObjectKeys };
  await assert.rejects(mergeDiff(failing(), endless(), { ...options, visit() {} }), /cut/);
  assert.ok(ended);
});
