import assert from "node:assert/strict";
import { createReopeningKv } from "../../../../src/adapters/kv/reopening_kv.ts";

Deno.test("createReopeningKv() fails operations at once until the store opens, then passes them on", async () => {
  const failures: unknown[] = [];
  let tries = 0;
  const store = createReopeningKv({
    open: () => ++tries < 3 ? Promise.reject(new Error("away")) : Deno.openKv(":memory:"),
    onFailure: (error) => failures.push(error),
    retryMs: 20,
  });
  await store.firstTry;
  assert.throws(() => store.kv.get(["a"]), { name: "NotOpenError" });
  await assert.rejects(store.kv.watch([["a"]]).getReader().read(), { name: "NotOpenError" });
  for (let waited = 0; tries < 3 && waited < 200; waited++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(failures.length, 2);
  assert.ok((await store.kv.atomic().set(["a"], 1).commit()).ok);
  assert.equal((await store.kv.get(["a"])).value, 1);
  store.close();
  assert.throws(() => store.kv.get(["a"]), { name: "NotOpenError" });
});

Deno.test("createReopeningKv() closes a store that opens after it was closed itself", async () => {
  const opened = Promise.withResolvers<Deno.Kv>();
  const store = createReopeningKv({ open: () => opened.promise, onFailure() {} });
  store.close();
  const late = await Deno.openKv(":memory:");
  opened.resolve(late);
  await store.firstTry;
  await assert.rejects(async () => await late.get(["a"]));
});
