import assert from "node:assert/strict";
import { createWaitingLine } from "../../../src/variants/waiting_line.ts";
import { passExactLength } from "../../../src/variants/exact_length.ts";

const { signal } = new AbortController();

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

Deno.test("createWaitingLine() lets in what fits, in order, and one that is larger than all alone", async () => {
  const budget = createWaitingLine({ capacity: 100, maxWaiting: 10 });
  const entered: string[] = [];
  const enter = async (name: string, bytes: number) => {
    const giveBack = await budget.take(bytes, signal);
    entered.push(name);
    return giveBack;
  };
  const first = await enter("first", 60);
  const second = enter("second", 60);
  const third = enter("third", 10);
  await Promise.resolve();
  assert.deepEqual(entered, ["first"]);
  first();
  first();
  (await second)();
  (await third)();
  const huge = await enter("huge", 500);
  const small = enter("small", 1);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(entered, ["first", "second", "third", "huge"]);
  huge();
  (await small)();
});

Deno.test("createWaitingLine() bounds the line, and lets those in it leave", async () => {
  const budget = createWaitingLine({ capacity: 10, maxWaiting: 1 });
  const giveBack = await budget.take(10, signal);
  const client = new AbortController();
  const waiting = budget.take(1, client.signal);
  await assert.rejects(budget.take(1, signal), { code: "render_queue_full" });
  client.abort(new Error("gone"));
  await assert.rejects(waiting, /gone/);
  const next = budget.take(10, signal);
  giveBack();
  (await next)();
});
