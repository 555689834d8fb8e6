import assert from "node:assert/strict";
import { Admission, type AdmissionLimits } from "../../../../src/adapters/workers/admission.ts";
import { AppError, hasCode } from "../../../../src/errors.ts";

const LIMITS: AdmissionLimits = {
  slots: 2,
  budgetBytes: 100,
  queueLimit: 3,
  queueBudgetBytes: 1000,
  queueWaitMs: 60_000,
  retryAfterSeconds: 7,
};

function ask(estimatedBytes: number, signal = new AbortController().signal, sourceBytes = 1) {
  return { estimatedBytes, sourceBytes, signal };
}

Deno.test("Admission.enter() admits up to its slots and its budget, then in order", async () => {
  const admission = new Admission(LIMITS);
  const first = await admission.enter(ask(60));
  const order: string[] = [];
  const large = admission.enter(ask(60)).then((leave) => (order.push("large"), leave));
  const small = admission.enter(ask(10)).then((leave) => (order.push("small"), leave));
  assert.equal(admission.queued, 2);
  first();
  const leaves = await Promise.all([large, small]);
  assert.deepEqual(order, ["large", "small"]);
  assert.deepEqual([admission.running, admission.runningBytes], [2, 70]);
  for (const leave of leaves) leave();
  assert.deepEqual([admission.running, admission.runningBytes], [0, 0]);
});

Deno.test("Admission.enter() lets one render over the budget run alone", async () => {
  const admission = new Admission(LIMITS);
  const leave = await admission.enter(ask(5000));
  const next = admission.enter(ask(1));
  assert.equal(admission.queued, 1);
  leave();
  (await next)();
});

Deno.test("Admission.enter() turns away what the queue cannot hold", async () => {
  const admission = new Admission({ ...LIMITS, slots: 1, queueLimit: 1, queueBudgetBytes: 50 });
  const leave = await admission.enter(ask(1));
  const isFull = (error: unknown) =>
    hasCode(error, "render_queue_full") && (error as AppError).retryAfterSeconds === 7;
  await assert.rejects(admission.enter(ask(1, undefined, 51)), isFull);
  const waiting = admission.enter(ask(1));
  await assert.rejects(admission.enter(ask(1)), isFull);
  leave();
  (await waiting)();
  assert.equal(admission.queued, 0);
});

Deno.test("Admission.enter() gives up when the wait is too long, and forgets the waiter", async () => {
  const admission = new Admission({ ...LIMITS, slots: 1, queueWaitMs: 5 });
  const leave = await admission.enter(ask(1));
  await assert.rejects(admission.enter(ask(1)), (e) => hasCode(e, "render_queue_full"));
  assert.equal(admission.queued, 0);
  leave();
  leave();
  assert.equal(admission.running, 0);
});

Deno.test("Admission.enter() lets an aborted waiter go and admits who stood behind it", async () => {
  const admission = new Admission(LIMITS);
  const leave = await admission.enter(ask(60));
  const controller = new AbortController();
  const large = admission.enter(ask(90, controller.signal));
  const small = admission.enter(ask(30));
  controller.abort(new Error("client gone"));
  await assert.rejects(large, /client gone/);
  (await small)();
  leave();
});
