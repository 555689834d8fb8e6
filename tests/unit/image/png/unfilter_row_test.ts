import assert from "node:assert/strict";
import { hasCode } from "../../../../src/errors.ts";
import { unfilterRow } from "../../../../src/image/png/unfilter_row.ts";

/** W3C PNG third edition, section 9.2, byte by byte. */
function filterRow(
  row: Uint8Array,
  options: { type: number; above: Uint8Array; step: number },
): Uint8Array {
  const { type, above, step } = options;
  return row.map((value, i) => {
    const a = i >= step ? row[i - step] : 0;
    const b = above[i];
    const c = i >= step ? above[i - step] : 0;
    const p = a + b - c;
    const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
    const paeth = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
    return value - [0, a, b, (a + b) >> 1, paeth][type];
  });
}

Deno.test("unfilterRow() inverts every filter at every pixel size", () => {
  const row = Uint8Array.from({ length: 48 }, (_, i) => (i * 91 + 17) & 255);
  const above = Uint8Array.from({ length: 48 }, (_, i) => (i * 53 + 200) & 255);
  for (const step of [1, 2, 3, 4, 6, 8]) {
    for (const type of [0, 1, 2, 3, 4]) {
      const filtered = filterRow(row, { type, above, step });
      unfilterRow(filtered, { type, above, step });
      assert.deepEqual(filtered, row, `type ${type}, ${step} bytes a pixel`);
    }
  }
});

Deno.test("unfilterRow() predicts as the standard does where neighbours are equally near", () => {
  // Every left, up and corner out of four values: rows walk through all their combinations.
  const values = [0, 1, 2, 255];
  const pick = (i: number) => values[Math.floor(i) & 3];
  for (const step of [1, 2, 3, 4, 6]) {
    const row = Uint8Array.from({ length: 256 * step }, (_, i) => pick(i / step));
    const above = row.map((_, i) => pick(i / step / 4 + i / step / 16));
    const filtered = filterRow(row, { type: 4, above, step });
    unfilterRow(filtered, { type: 4, above, step });
    assert.deepEqual(filtered, row, `${step} bytes a pixel`);
  }
});

Deno.test("unfilterRow() refuses a filter that does not exist", () => {
  const row = new Uint8Array(4);
  assert.throws(
    () => unfilterRow(row, { type: 5, above: row, step: 1 }),
    (error) => hasCode(error, "image_undecodable"),
  );
});
