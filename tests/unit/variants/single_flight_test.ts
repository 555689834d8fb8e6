import assert from "node:assert/strict";
import { createSingleFlight } from "../../../src/variants/single_flight.ts";

Deno.test("createSingleFlight() runs once for all who come while it runs", async () => {
  const flights = createSingleFlight<number>();
  let runs = 0;
  const { promise, resolve } = Promise.withResolvers<number>();
  const work = () => (runs++, promise);
  const callers = Array.from({ length: 5 }, () => flights.run("a", work, undefined));
  assert.ok(flights.has("a"));
  resolve(7);
  const results = await Promise.all(callers);
  assert.deepEqual(results.map(({ value }) => value), [7, 7, 7, 7, 7]);
  assert.equal(results.filter(({ leader }) => leader).length, 1);
  assert.equal(runs, 1);
  assert.ok(!flights.has("a"));
});

Deno.test("createSingleFlight() does not keep a failure", async () => {
  const flights = createSingleFlight<number>();
  const failing = () => Promise.reject(new Error("no"));
  await assert.rejects(flights.run("a", failing, undefined), /no/);
  assert.equal((await flights.run("a", () => Promise.resolve(1), undefined)).value, 1);
});

Deno.test("createSingleFlight() lets one leave and aborts when the last has left", async () => {
  const flights = createSingleFlight<number>();
  const clients = [new AbortController(), new AbortController()];
  let aborted = false;
  const work = (signal: AbortSignal) =>
    new Promise<number>((_, reject) => {
      signal.addEventListener("abort", () => {
        aborted = true;
        reject(signal.reason);
      });
    });
  const callers = clients.map(({ signal }) => flights.run("a", work, signal));
  const outcomes = Promise.allSettled(callers);
  clients[0].abort(new Error("first"));
  await assert.rejects(callers[0], /first/);
  assert.equal(aborted, false);
  clients[1].abort(new Error("second"));
  await outcomes;
  assert.equal(aborted, true);
  assert.ok(!flights.has("a"));
});

Deno.test("createSingleFlight() starts anew for who comes after everybody left", async () => {
  const flights = createSingleFlight<string>();
  const client = new AbortController();
  const stuck = flights.run("a", () => new Promise(() => {}), client.signal);
  client.abort();
  await assert.rejects(stuck);
  const next = await flights.run("a", () => Promise.resolve("new"), undefined);
  assert.deepEqual(next, { value: "new", leader: true });
});

Deno.test("createSingleFlight() refuses a caller who has left already", async () => {
  const flights = createSingleFlight<number>();
  let runs = 0;
  const signal = AbortSignal.abort(new Error("gone"));
  await assert.rejects(flights.run("a", () => Promise.resolve(runs++), signal), /gone/);
  assert.equal(runs, 0);
});
