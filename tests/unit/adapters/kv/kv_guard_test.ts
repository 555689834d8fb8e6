import assert from "node:assert/strict";
import { createKvGuard } from "../../../../src/adapters/kv/kv_guard.ts";

function setUp() {
  const state = { nowMs: 0, failures: [] as string[] };
  const guard = createKvGuard({
    nowMs: () => state.nowMs,
    timeoutMs: 30,
    patientTimeoutMs: 90,
    failureThreshold: 3,
    pauseMs: 1_000,
    observer: {
      cacheLookedUp() {},
      rendered() {},
      cacheFailed: (operation, cause) => void state.failures.push(`${operation} ${cause}`),
    },
  });
  return { state, guard };
}

const never = () => new Promise<never>(() => {});

Deno.test("createKvGuard() gives up on what is slow, later on what is worth waiting for", async () => {
  const { state, guard } = setUp();
  const startedMs = performance.now();
  assert.equal(await guard.attempt("get", never), undefined);
  const shortMs = performance.now() - startedMs;
  assert.equal(await guard.attempt("lease", never), undefined);
  const longMs = performance.now() - startedMs - shortMs;
  assert.deepEqual(state.failures, ["get timeout", "lease timeout"]);
  assert.ok(longMs > shortMs, `${longMs} ms for a lease, ${shortMs} ms for a read`);
});

Deno.test("createKvGuard() retries what fails, as long as there is time", async () => {
  const { state, guard } = setUp();
  let tries = 0;
  const work = () => ++tries < 4 ? Promise.reject(new Error("locked")) : Promise.resolve("done");
  assert.equal(await guard.attempt("put", work, { patient: true }), "done");
  assert.equal(tries, 4);
  assert.deepEqual(state.failures, []);
});

Deno.test("createKvGuard() leaves KV alone after failures in a row, and tries again after a pause", async () => {
  const { state, guard } = setUp();
  let tries = 0;
  const failing = () => {
    tries++;
    return Promise.reject(new Deno.errors.BadResource("closed"));
  };
  for (let i = 0; i < 3; i++) await guard.attempt("get", failing);
  assert.ok(guard.isOpen);
  for (let i = 0; i < 5; i++) assert.equal(await guard.attempt("get", failing), undefined);
  assert.equal(tries, 3);
  state.nowMs += 1_000;
  await guard.attempt("get", failing);
  assert.equal(tries, 4);
  assert.ok(guard.isOpen, "one failure after the pause opens it again");
  state.nowMs += 1_000;
  assert.equal(await guard.attempt("get", () => Promise.resolve(1)), 1);
  assert.equal(await guard.attempt("get", failing), undefined);
  assert.ok(!guard.isOpen, "a success resets the count");
});

Deno.test("createKvGuard() does not let a failure that comes too late go unhandled", async () => {
  const { guard } = setUp();
  // A closed store ends the retries, which this clock never would.
  const late = () =>
    new Promise((_, reject) =>
      setTimeout(() => reject(new Deno.errors.BadResource("closed late")), 50)
    );
  assert.equal(await guard.attempt("get", late), undefined);
  await new Promise((resolve) => setTimeout(resolve, 60));
});
