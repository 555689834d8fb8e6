import assert from "node:assert/strict";
import { passExactLength } from "../../../src/variants/exact_length.ts";

async function read(chunks: Uint8Array[], lengthBytes: number): Promise<number> {
  const stream = passExactLength(ReadableStream.from(chunks), lengthBytes);
  return (await new Response(stream).arrayBuffer()).byteLength;
}

Deno.test("passExactLength() passes exactly what was announced, and fails anything else", async () => {
  const chunks = () => [new Uint8Array(3), new Uint8Array(0), new Uint8Array(4)];
  assert.equal(await read(chunks(), 7), 7);
  assert.equal(await read([], 0), 0);
  await assert.rejects(read(chunks(), 8), RangeError);
  await assert.rejects(read(chunks(), 6), RangeError);
});

Deno.test("passExactLength() cancels its source with its reader, and reads no further ahead", async () => {
  let pulled = 0;
  let reason: unknown;
  const source = new ReadableStream<Uint8Array>({
    pull: (controller) => (pulled++, controller.enqueue(new Uint8Array(1))),
    cancel: (given) => void (reason = given),
  }, { highWaterMark: 0 });
  let ended = 0;
  const reader = passExactLength(source, 100, () => ended++).getReader();
  await reader.read();
  assert.ok(pulled <= 2);
  await reader.cancel("enough");
  assert.equal(reason, "enough");
  assert.equal(ended, 1);
});
