import assert from "node:assert/strict";
import { Hono } from "hono";
import { clientAddress } from "../../src/http/client_address.ts";
import type { HttpEnv } from "../../src/http/http_env.ts";
import { createRenderBudget } from "../../src/http/render_budget.ts";
import { createDeliveryFixture, makeAsset } from "./delivery_fixture.ts";

Deno.test("variantRoutes() charges a client for renders only, and answers 429 beyond its budget", async () => {
  const budget = createRenderBudget({ perMinute: 2, nowMs: () => 0 });
  const { app, add, renders } = createDeliveryFixture({ admitRender: () => budget.take("a") });
  const photo = makeAsset("a photograph");
  add(photo);
  const get = (variant: string) => app.request(`/${photo.record.hash}/${variant}`);
  for (let i = 0; i < 5; i++) assert.equal((await get("640x480/80.webp")).status, 200);
  await Promise.all(Array.from({ length: 5 }, () => get("320x240/80.webp")));
  assert.equal(renders.length, 2);
  const refused = await get("1024x768/80.webp");
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get("retry-after"), "30");
  assert.equal(refused.headers.get("cache-control"), "no-store");
  assert.equal((await get("640x480/80.webp")).status, 200);
});

Deno.test("createRenderBudget() fills up again with time, to its size at most", () => {
  let nowMs = 0;
  const budget = createRenderBudget({ perMinute: 60, nowMs: () => nowMs });
  for (let i = 0; i < 60; i++) budget.take("a");
  assert.throws(() => budget.take("a"), { code: "rate_limited", retryAfterSeconds: 1 });
  budget.take("b");
  nowMs += 1_000;
  budget.take("a");
  assert.throws(() => budget.take("a"));
  nowMs += 3_600_000;
  for (let i = 0; i < 60; i++) budget.take("a");
  assert.throws(() => budget.take("a"));
});

Deno.test("createRenderBudget() takes a 64-bit IPv6 network for one client", () => {
  const budget = createRenderBudget({ perMinute: 1, nowMs: () => 0 });
  budget.take("2001:db8:0:1::5");
  assert.throws(() => budget.take("2001:db8::1:abcd:0:0:1"));
  budget.take("2001:db8:0:2::5");
  budget.take("::ffff:10.0.0.1");
  assert.throws(() => budget.take("10.0.0.1"));
  budget.take("::1");
});

Deno.test("createRenderBudget() remembers a bounded number of clients", () => {
  const budget = createRenderBudget({ perMinute: 1, nowMs: () => 0, maxClients: 3 });
  for (const client of ["a", "b", "c", "d"]) budget.take(client);
  budget.take("a");
  assert.throws(() => budget.take("d"));
});

Deno.test("clientAddress() believes the last forwarded entry of a trusted proxy only", async () => {
  const app = new Hono<HttpEnv>();
  app.get("/:trust", (c) => c.text(clientAddress(c, { trustProxy: c.req.param("trust") === "1" })));
  const ask = async (trust: string, forwarded?: string) => {
    const headers = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
    return await (await app.request(`/${trust}`, { headers }, { remoteAddress: "10.0.0.9" }))
      .text();
  };
  assert.equal(await ask("0", "1.2.3.4"), "10.0.0.9");
  assert.equal(await ask("1", "6.6.6.6, 1.2.3.4"), "1.2.3.4");
  assert.equal(await ask("1", "1.2.3.4, <script>"), "10.0.0.9");
  assert.equal(await ask("1"), "10.0.0.9");
});
