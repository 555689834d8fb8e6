import assert from "node:assert/strict";
import { limitSilence } from "../../../src/http/limit_silence.ts";

/** A body that never ends; resolves `cancelled` when nobody wants it any more. */
function endless() {
  const { promise: cancelled, resolve } = Promise.withResolvers<void>();
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)),
    cancel: () => resolve(),
  });
  return { stream, cancelled };
}

Deno.test("limitSilence() gives the source up when a client on a socket does not read", async () => {
  const { stream, cancelled } = endless();
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => new Response(limitSilence(stream, { idleMs: 200 })),
  );
  const client = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
  await client.write(new TextEncoder().encode("GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
  await cancelled;
  client.close();
  await server.shutdown();
});

Deno.test("limitSilence() passes everything on to who reads slowly but steadily", async () => {
  const parts = [1, 2, 3, 4].map((value) => new Uint8Array([value]));
  const limited = limitSilence(ReadableStream.from(parts), { idleMs: 100 });
  const received: number[] = [];
  for await (const part of limited) {
    received.push(...part);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  assert.deepEqual(received, [1, 2, 3, 4]);
});

Deno.test("limitSilence() passes failures and cancellation through", async () => {
  const broken = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error("broken")),
  });
  await assert.rejects(limitSilence(broken, { idleMs: 100 }).getReader().read(), /broken/);
  const { stream, cancelled } = endless();
  const reader = limitSilence(stream, { idleMs: 100 }).getReader();
  await reader.read();
  await reader.cancel();
  await cancelled;
});

Deno.test("limitSilence() holds the connection while it passes a body on, and cuts a silent client's", async () => {
  const calls: string[] = [];
  const cut = Promise.withResolvers<void>();
  const connection = {
    hold: () => void calls.push("hold"),
    release: () => void calls.push("release"),
    cut() {
      calls.push("cut");
      cut.resolve();
    },
  };
  const short = ReadableStream.from([new Uint8Array(1), new Uint8Array(1)]);
  for await (const _ of limitSilence(short, { idleMs: 60_000, connection }));
  assert.deepEqual(calls.splice(0), ["hold", "release"]);
  const stuck = limitSilence(endless().stream, { idleMs: 50, connection }).getReader();
  await stuck.read();
  await cut.promise;
  assert.deepEqual(calls, ["hold", "cut"]);
});
