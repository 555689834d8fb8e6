import assert from "node:assert/strict";
import { hasCode } from "../../../src/errors.ts";
import { ByteBudget } from "../../../src/uploads/byte_budget.ts";

const never = new AbortController().signal;

function budget(more: Partial<ConstructorParameters<typeof ByteBudget>[0]> = {}): ByteBudget {
  return new ByteBudget({ maxBytes: 100, maxWaiting: 2, maxWaitMs: 2_000, ...more });
}

Deno.test("ByteBudget grants what fits and gives it back", async () => {
  const bytes = budget();
  {
    using _a = await bytes.reserve(60, never);
    using _b = await bytes.reserve(40, never);
    assert.equal(bytes.heldBytes, 100);
  }
  assert.equal(bytes.heldBytes, 0);
});

Deno.test("ByteBudget serves waiting callers in order, as bytes come back", async () => {
  const bytes = budget();
  const first = await bytes.reserve(80, never);
  const order: string[] = [];
  const large = bytes.reserve(90, never).then((share) => (order.push("large"), share));
  const small = bytes.reserve(10, never).then((share) => (order.push("small"), share));
  await Promise.resolve();
  assert.equal(bytes.waiting, 2, "a small request does not overtake a large one for ever");
  first[Symbol.dispose]();
  const shares = await Promise.all([large, small]);
  assert.deepEqual(order, ["large", "small"]);
  assert.equal(bytes.heldBytes, 100);
  for (const share of shares) share[Symbol.dispose]();
  assert.equal(bytes.heldBytes, 0);
});

Deno.test("ByteBudget refuses with upload_queue_full when the queue is full", async () => {
  const bytes = budget({ maxWaiting: 0 });
  using _all = await bytes.reserve(100, never);
  await assert.rejects(
    bytes.reserve(1, never),
    (error) => hasCode(error, "upload_queue_full") && error.retryAfterSeconds! > 0,
  );
});

Deno.test("ByteBudget refuses with upload_queue_full when the wait is over, and forgets the caller", async () => {
  const bytes = budget({ maxWaitMs: 20 });
  using _all = await bytes.reserve(100, never);
  await assert.rejects(bytes.reserve(1, never), (error) => hasCode(error, "upload_queue_full"));
  assert.equal(bytes.waiting, 0);
});

Deno.test("ByteBudget lets the next one in when a waiting caller goes away", async () => {
  const bytes = budget();
  using _most = await bytes.reserve(80, never);
  const gone = new AbortController();
  const large = bytes.reserve(50, gone.signal);
  const small = bytes.reserve(10, never);
  gone.abort();
  await assert.rejects(large, (error) => hasCode(error, "client_closed_request"));
  using share = await small;
  assert.equal(share.bytes, 10);
});

Deno.test("ByteBudget gives the whole of itself to a request larger than it is", async () => {
  using share = await budget().reserve(1_000, never);
  assert.equal(share.bytes, 100);
});

Deno.test("ByteReservation.tryGrow() takes only what is free and unwanted", async () => {
  const bytes = budget();
  using share = await bytes.reserve(40, never);
  assert.equal(share.tryGrow(40), true);
  assert.equal(share.tryGrow(40), false);
  const waiting = bytes.reserve(90, never);
  assert.equal(share.tryGrow(10), false, "somebody waits");
  share.shrinkTo(10);
  (await waiting)[Symbol.dispose]();
  assert.equal(bytes.heldBytes, 10);
});
