import assert from "node:assert/strict";
import { BLACK_CODES, MODE_CODES, WHITE_CODES } from "../../../../src/image/tiff/fax_codes.ts";
import { unpackFax } from "../../../../src/image/tiff/unpack_fax.ts";

const TABLES = { WHITE_CODES, BLACK_CODES, MODE_CODES };

for (const [name, codes] of Object.entries(TABLES)) {
  Deno.test(`${name} has no code that begins another, and no value twice`, () => {
    for (const [code] of codes) {
      const clashes = codes.filter(([other]) => other !== code && other.startsWith(code));
      assert.deepEqual(clashes, [], code);
    }
    assert.equal(new Set(codes.map(([, value]) => value)).size, codes.length);
  });
}

Deno.test("the run-length tables reach from 0 to 2,560", () => {
  for (const codes of [WHITE_CODES, BLACK_CODES]) {
    const values = codes.map(([, value]) => value).sort((a, b) => a - b);
    assert.deepEqual(values.slice(0, 64), Array.from({ length: 64 }, (_, i) => i));
    assert.deepEqual(values.slice(64), Array.from({ length: 40 }, (_, i) => 64 * (i + 1)));
  }
});

/** Encodes one row of runs, white first, as plain codes. */
function encodeRuns(runs: readonly number[]): Uint8Array {
  const find = (codes: typeof WHITE_CODES, value: number) =>
    codes.find(([, run]) => run === value)?.[0] ?? "";
  const bits = runs.map((run, i) => {
    const codes = i % 2 === 0 ? WHITE_CODES : BLACK_CODES;
    return (run >= 64 ? find(codes, run - run % 64) : "") + find(codes, run % 64);
  }).join("");
  const bytes = bits.match(/.{1,8}/g) ?? [];
  return Uint8Array.from(bytes, (byte) => parseInt(byte.padEnd(8, "0"), 2));
}

Deno.test("unpackFax() gives back every run length in both colours", () => {
  for (let run = 0; run < 2_600; run += run < 130 ? 1 : 37) {
    for (const runs of [[run, 5, 3], [3, run, 2]]) {
      const width = runs.reduce((sum, part) => sum + part);
      const out = new Uint8Array((width + 7) >> 3);
      const input = { width, rows: 1, kind: "rle", twoDimensional: false } as const;
      assert.equal(unpackFax({ ...input, data: encodeRuns(runs) }, out), 1);
      const black = [...out].map((byte) => byte.toString(2).padStart(8, "0")).join("");
      const expected = "0".repeat(runs[0]) + "1".repeat(runs[1]) + "0".repeat(runs[2]);
      assert.equal(black.slice(0, width), expected, `${runs}`);
    }
  }
});

Deno.test("unpackFax() stops at broken codes and at the end of the data", () => {
  const input = { width: 1_000, rows: 5, twoDimensional: true } as const;
  for (const kind of ["rle", "group3", "group4"] as const) {
    for (const fill of [0x00, 0xff, 0x5a]) {
      const data = new Uint8Array(40).fill(fill);
      assert(unpackFax({ ...input, kind, data }, new Uint8Array(625)) <= 5);
    }
  }
});
