import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { inflatePieces } from "../../../../src/image/png/inflate_stream.ts";

Deno.test("inflatePieces() inflates a stream of the highest ratio in one write without end of stack", async () => {
  const length = 200 * 2 ** 20;
  const compressed = deflateSync(new Uint8Array(length), { level: 9 });
  assert.ok(compressed.length < 256 * 1024);
  let taken = 0;
  const enough = await inflatePieces([compressed], (piece) => {
    taken += piece.length;
    return true;
  });
  assert.equal(enough, false);
  assert.equal(taken, length);
});

Deno.test("inflatePieces() leaves a bomb as soon as its taker has enough", async () => {
  const compressed = deflateSync(new Uint8Array(50 * 2 ** 20));
  let taken = 0;
  const enough = await inflatePieces([compressed], (piece) => {
    taken += piece.length;
    return taken < 2 ** 20;
  });
  assert.equal(enough, true);
  assert.ok(taken < 4 * 2 ** 20);
});
