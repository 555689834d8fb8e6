import assert from "node:assert/strict";
import { buildHuffmanTable } from "../../../../src/image/jpeg/huffman_table.ts";
import { buildOptimalCode } from "../../../../src/image/jpeg/optimal_huffman.ts";
import { createRandom } from "./raster.ts";

function countsOf(entries: readonly (readonly [symbol: number, count: number])[]): Int32Array {
  const counts = new Int32Array(256);
  for (const [symbol, count] of entries) counts[symbol] = count;
  return counts;
}

/** Sum of 2^-length: below 1 when the code of all ones is free. */
function kraft(counts: Uint8Array): number {
  return counts.reduce((sum, count, i) => sum + count * 2 ** -(i + 1), 0);
}

Deno.test("buildOptimalCode() gives frequent symbols the short codes", () => {
  const { counts, symbols } = buildOptimalCode(countsOf([[7, 100], [3, 50], [9, 20], [0, 10]]));
  assert.deepEqual([...symbols], [7, 3, 9, 0]);
  assert.deepEqual([...counts.subarray(0, 5)], [1, 1, 1, 1, 0]);
});

Deno.test("buildOptimalCode() makes a code for a single symbol", () => {
  const { counts, symbols } = buildOptimalCode(countsOf([[5, 1]]));
  assert.deepEqual([...symbols], [5]);
  assert.equal(counts[0], 1);
});

Deno.test("buildOptimalCode() keeps to 16 bits and leaves the code of all ones free", () => {
  const random = createRandom(1);
  let a = 1;
  let b = 1;
  // Fibonacci numbers make the deepest trees.
  const fibonacci = Array.from({ length: 40 }, (_, i) => {
    [a, b] = [b, a + b];
    return [i * 3, a] as const;
  });
  const cases = [
    countsOf(fibonacci),
    Int32Array.from({ length: 256 }, () => 1),
    ...Array.from(
      { length: 50 },
      () =>
        Int32Array.from({ length: 256 }, () => random() < 0.5 ? 0 : Math.ceil(random() ** 9 * 1e6)),
    ),
  ];
  for (const counts of cases) {
    const spec = buildOptimalCode(counts);
    const used = counts.filter((count) => count > 0).length;
    assert.equal(spec.symbols.length, used);
    assert.equal(spec.counts.reduce((sum, count) => sum + count, 0), used);
    assert.ok(kraft(spec.counts) < 1);
    buildHuffmanTable(spec, "ac");
  }
});
