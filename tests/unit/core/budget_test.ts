import assert from "node:assert/strict";
import { Budget, type BudgetOptions } from "../../../src/core/budget.ts";

const never = new AbortController().signal;

function budget(more: Partial<BudgetOptions> = {}): Budget {
  const refuse = () => new Error("refused");
  return new Budget({ capacity: 100, maxWaiting: 2, maxWaitMs: 30_000, refuse, ...more });
}

Deno.test("Budget grants what fits and gives it back", async () => {
  const bytes = budget();
  {
    using _a = await bytes.reserve(60, never);
    using _b = await bytes.reserve(40, never);
    assert.equal(bytes.held, 100);
  }
  assert.equal(bytes.held, 0);
});

Deno.test("Budget serves waiting callers in order, as bytes come back", async () => {
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
  assert.equal(bytes.held, 100);
  for (const share of shares) share[Symbol.dispose]();
  assert.equal(bytes.held, 0);
});

Deno.test("Budget refuses when the queue is full", async () => {
  const bytes = budget({ maxWaiting: 0 });
  using _all = await bytes.reserve(100, never);
  await assert.rejects(bytes.reserve(1, never), /refused/);
});

Deno.test("Budget refuses when the wait is over, and forgets the caller", async () => {
  const bytes = budget({ maxWaitMs: 20 });
  using _all = await bytes.reserve(100, never);
  await assert.rejects(bytes.reserve(1, never), /refused/);
  assert.equal(bytes.waiting, 0);
});

Deno.test("Budget lets the next one in when a waiting caller goes away", async () => {
  const bytes = budget();
  using _most = await bytes.reserve(80, never);
  const gone = new AbortController();
  const large = bytes.reserve(50, gone.signal);
  const small = bytes.reserve(10, never);
  gone.abort(new Error("gone"));
  await assert.rejects(large, /gone/);
  await assert.rejects(bytes.reserve(1, gone.signal), /gone/);
  using share = await small;
  assert.equal(share.amount, 10);
});

Deno.test("Budget gives the whole of itself to a request larger than it is", async () => {
  using share = await budget().reserve(1_000, never);
  assert.equal(share.amount, 100);
});

Deno.test("BudgetShare.tryGrow() takes only what is free and unwanted", async () => {
  const bytes = budget();
  using share = await bytes.reserve(40, never);
  assert.equal(share.tryGrow(40), true);
  assert.equal(share.tryGrow(40), false);
  const waiting = bytes.reserve(90, never);
  assert.equal(share.tryGrow(10), false, "somebody waits");
  share.shrinkTo(10);
  (await waiting)[Symbol.dispose]();
  assert.equal(bytes.held, 10);
});
