import assert from "node:assert/strict";
import { AppError, hasCode } from "../../../src/errors.ts";
import { BodyReader, type BodyReaderOptions } from "../../../src/uploads/body_reader.ts";
import { pause } from "../../../src/uploads/catalog_retry.ts";

const OPTIONS: BodyReaderOptions = {
  maxBytes: 1_000,
  idleTimeoutMs: 5_000,
  minWindowBytes: 0,
  signal: new AbortController().signal,
};

interface Source {
  readonly stream: ReadableStream<Uint8Array>;
  cancelled: boolean;
  pulls: number;
}

/** Hands out a chunk of so many bytes per pull; `hang` after the last, or end. */
function source(sizes: readonly number[], { hang = false, delayMs = 0 } = {}): Source {
  const left = [...sizes];
  const made: Source = {
    cancelled: false,
    pulls: 0,
    stream: new ReadableStream({
      async pull(controller) {
        made.pulls++;
        if (delayMs > 0) await pause(delayMs);
        const size = left.shift();
        if (size !== undefined) return controller.enqueue(new Uint8Array(size));
        if (hang) return await new Promise(() => {});
        controller.close();
      },
      cancel() {
        made.cancelled = true;
      },
    }, { highWaterMark: 0 }),
  };
  return made;
}

async function drain(reader: BodyReader): Promise<number> {
  let bytes = 0;
  for (let chunk = await reader.read(); chunk !== null; chunk = await reader.read()) {
    bytes += chunk.byteLength;
  }
  return bytes;
}

Deno.test("BodyReader reads a body to its end, one pull for each read", async () => {
  const made = source([400, 600]);
  using reader = new BodyReader(made.stream, { ...OPTIONS, contentLength: 1_000 });
  assert.equal((await reader.read())?.byteLength, 400);
  assert.equal(made.pulls, 1);
  assert.equal(await drain(reader), 600);
  assert.equal(reader.receivedBytes, 1_000);
});

Deno.test("BodyReader pulls nothing before it is asked", async () => {
  const made = source([100]);
  using _reader = new BodyReader(made.stream, OPTIONS);
  await pause(5);
  assert.equal(made.pulls, 0);
});

Deno.test("BodyReader stops at one byte over the limit and cancels the body", async () => {
  const made = source([999, 2, 500, 500]);
  using reader = new BodyReader(made.stream, OPTIONS);
  await assert.rejects(drain(reader), (error) => hasCode(error, "body_too_large"));
  assert.equal(made.pulls, 2);
  assert.ok(made.cancelled);
});

Deno.test("BodyReader refuses a declared length over the limit without reading", async () => {
  const made = source([10]);
  using reader = new BodyReader(made.stream, { ...OPTIONS, contentLength: 1_001 });
  await assert.rejects(reader.read(), (error) => hasCode(error, "body_too_large"));
  assert.equal(made.pulls, 0);
  assert.ok(made.cancelled);
});

Deno.test("BodyReader refuses a body shorter than declared", async () => {
  using reader = new BodyReader(source([10]).stream, { ...OPTIONS, contentLength: 11 });
  await assert.rejects(drain(reader), (error) => hasCode(error, "incomplete_body"));
});

Deno.test("BodyReader refuses a body longer than declared and cancels it", async () => {
  const made = source([10, 10], { hang: true });
  using reader = new BodyReader(made.stream, { ...OPTIONS, contentLength: 19 });
  await assert.rejects(drain(reader), (error) => hasCode(error, "invalid_request"));
  assert.ok(made.cancelled);
});

Deno.test("BodyReader ends a silent client with body_timeout", async () => {
  const made = source([10], { hang: true });
  using reader = new BodyReader(made.stream, { ...OPTIONS, idleTimeoutMs: 40 });
  await assert.rejects(drain(reader), (error) => hasCode(error, "body_timeout"));
  assert.ok(made.cancelled);
});

Deno.test("BodyReader ends a client that drips bytes below the rate", async () => {
  const made = source(new Array(500).fill(1), { delayMs: 10 });
  using reader = new BodyReader(made.stream, {
    ...OPTIONS,
    idleTimeoutMs: 100,
    minWindowBytes: 64,
  });
  await assert.rejects(drain(reader), (error) => hasCode(error, "body_timeout"));
  assert.ok(made.pulls < 100, `${made.pulls} pulls`);
  await pause(20); // for the pull that was under way
});

Deno.test("BodyReader does not blame the client for the time that we take", async () => {
  using reader = new BodyReader(source([10, 10, 10, 10]).stream, {
    ...OPTIONS,
    idleTimeoutMs: 200,
    minWindowBytes: 1_000,
  });
  while (await reader.read() !== null) await pause(150);
  assert.equal(reader.receivedBytes, 40);
});

Deno.test("BodyReader fails with client_closed_request when the signal aborts a waiting read", async () => {
  const made = source([], { hang: true });
  const gone = new AbortController();
  using reader = new BodyReader(made.stream, { ...OPTIONS, signal: gone.signal });
  const read = reader.read();
  gone.abort();
  await assert.rejects(read, (error) => hasCode(error, "client_closed_request"));
  assert.ok(made.cancelled);
});

Deno.test("BodyReader passes on a reason of ours, such as a shutdown", async () => {
  const signal = AbortSignal.abort(new AppError("shutting_down", "We are shutting down"));
  using reader = new BodyReader(source([1]).stream, { ...OPTIONS, signal });
  await assert.rejects(reader.read(), (error) => hasCode(error, "shutting_down"));
});

Deno.test("BodyReader calls a broken transport an incomplete body", async () => {
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new TypeError("connection reset")),
  });
  using reader = new BodyReader(stream, OPTIONS);
  await assert.rejects(reader.read(), (error) => hasCode(error, "incomplete_body"));
});

Deno.test("BodyReader cancels a body that is disposed half-way", () => {
  const made = source([10, 10]);
  new BodyReader(made.stream, OPTIONS)[Symbol.dispose]();
  assert.ok(made.cancelled);
});
