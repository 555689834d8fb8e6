/** Usage and digests on a real database, posted to a real receiver. */
import assert from "node:assert/strict";
import { createDigestRecords } from "../../../src/adapters/postgres/digest_records.ts";
import { createUsageReader } from "../../../src/adapters/postgres/usage_reader.ts";
import { createUsageStore } from "../../../src/adapters/postgres/usage_store.ts";
import { createSignedWebhook, signMessage } from "../../../src/adapters/webhook/signed_webhook.ts";
import { createBudgetDigest } from "../../../src/costs/budget_digest.ts";
import type { Webhook } from "../../../src/costs/ports.ts";
import { PRICE_PROFILES } from "../../../src/costs/price_profiles.ts";
import { createUsageRecorder } from "../../../src/variants/usage_recorder.ts";
import { hashOf, seedAsset } from "../../support/seed_catalog.ts";
import { openTestDatabase, type TestDatabase } from "../../support/test_database.ts";

async function withDatabase(run: (opened: TestDatabase) => Promise<void>): Promise<void> {
  const opened = await openTestDatabase();
  try {
    await run(opened);
  } finally {
    await opened.close();
  }
}

function createDigest({ database }: TestDatabase, webhook: Webhook, now = () => new Date()) {
  return createBudgetDigest({
    reader: createUsageReader(database),
    records: createDigestRecords(database),
    webhook,
    profile: () => Promise.resolve(PRICE_PROFILES.r2),
    budgetUsd: 40,
    now,
    retryPausesMs: [1, 1],
  });
}

/** A receiver that answers with these statuses, one after the other. */
async function withReceiver(
  statuses: number[],
  run: (url: string, received: { body: string; headers: Headers }[]) => Promise<void>,
): Promise<void> {
  const received: { body: string; headers: Headers }[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    received.push({ body: await request.text(), headers: request.headers });
    return new Response(null, { status: statuses.shift() ?? 200 });
  });
  try {
    await run(`http://127.0.0.1:${server.addr.port}/hook`, received);
  } finally {
    await server.shutdown();
  }
}

Deno.test("createUsageReader() reads stock, flows and what would never have been asked for", async () => {
  await withDatabase(async ({ database }) => {
    for (const name of ["a", "b", "c"]) {
      await seedAsset(database, { tenant: "t", hash: hashOf(name) });
    }
    await seedAsset(database, { tenant: "t", hash: hashOf("d"), state: "DELETED" });
    const recorder = createUsageRecorder({
      store: createUsageStore(database),
      newId: () => crypto.randomUUID(),
      now: () => new Date(),
      reportFailure: (error) => assert.fail(String(error)),
    });
    for (let i = 0; i < 7; i++) {
      const variant = `${100 + i}x100/80.webp`;
      recorder.record({ hash: hashOf("a"), variant, tier: "MISS", bytes: 10, renderMs: 2 });
    }
    recorder.record({
      hash: hashOf("b"),
      variant: "100x100/80.webp",
      tier: "MEMORY",
      bytes: 20,
      renderMs: null,
    });
    await recorder.close();
    const startedMs = Date.now();
    const usage = await createUsageReader(database).read(30);
    // Of the ledger's only day as much as has passed.
    const passedDays = (startedMs % 86_400_000) / 86_400_000;
    assert.ok(Math.abs(usage.days - Math.max(0.04, passedDays)) < 0.02, String(usage.days));
    assert.deepEqual({ ...usage, days: 1 }, {
      days: 1,
      counted: true,
      assets: 3,
      newAssets: 3,
      standardBytes: 21,
      infrequentBytes: 0,
      archiveBytes: 0,
      variantRequests: 8,
      memoryHits: 1,
      kvHits: 0,
      misses: 7,
      notModified: 0,
      originalRequests: 0,
      renders: 7,
      egressBytes: 90,
      computeMs: 14,
      variants: 8,
      variantBytes: 90,
      variantsOfFive: 6,
      listing: null,
    });
  });
});

Deno.test("the digest is signed, retried while it is refused, and sent once a day", async () => {
  await withDatabase(async (opened) => {
    await withReceiver([503, 500], async (url, received) => {
      const seconds = 1_768_000_000;
      const webhook = createSignedWebhook({ url, secret: "s3cret", nowSeconds: () => seconds });
      const digest = createDigest(opened, webhook);
      assert.equal(await digest.sendToday(), "sent");
      assert.equal(received.length, 3);
      const { body, headers } = received[2];
      assert.equal(headers.get("x-facet-signature"), signMessage(body, "s3cret", seconds));
      assert.match(
        JSON.parse(body).text,
        /45\.00 USD projected, budget 40\.00 USD \(113 %\): OVER/,
      );
      assert.equal(await digest.sendToday(), "already_sent");
      assert.equal(received.length, 3);
      const tomorrow = createDigest(opened, webhook, () => new Date(Date.now() + 86_400_000));
      assert.equal(await tomorrow.sendToday(), "sent");
      assert.match(
        JSON.parse(received[3].body).text,
        /Since the last digest: projected \+0\.00 USD/,
      );
    });
  });
});

Deno.test("a digest that may have arrived is not sent again", async () => {
  await withDatabase(async (opened) => {
    let posts = 0;
    const lossy: Webhook = { post: () => Promise.resolve(posts++ === 0 ? "unknown" : "delivered") };
    assert.equal(await createDigest(opened, lossy).sendToday(), "may_have_arrived");
    assert.equal(await createDigest(opened, lossy).sendToday(), "already_sent");
    assert.equal(posts, 1);
  });
});

Deno.test("a digest that nobody takes is left to a later call of the day", async () => {
  await withDatabase(async (opened) => {
    const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    listener.close();
    const webhook = createSignedWebhook({
      // Nothing listens there any more.
      url: `http://127.0.0.1:${listener.addr.port}/`,
      secret: null,
      nowSeconds: () => 0,
    });
    assert.equal(await createDigest(opened, webhook).sendToday(), "failed");
    // Another instance may be at it just now.
    assert.equal(await createDigest(opened, webhook).sendToday(), "already_sent");
    await opened.database.write((sql) =>
      sql`update cost_digest set claimed_at = now() - interval '1 hour'`
    );
    const webhookAgain: Webhook = { post: () => Promise.resolve("delivered") };
    assert.equal(await createDigest(opened, webhookAgain).sendToday(), "sent");
  });
});

Deno.test("two instances send one digest", async () => {
  await withDatabase(async (opened) => {
    let posts = 0;
    const webhook: Webhook = { post: () => Promise.resolve(++posts > 0 ? "delivered" : "unknown") };
    const outcomes = await Promise.all(
      [1, 2, 3].map(() => createDigest(opened, webhook).sendToday()),
    );
    assert.deepEqual(outcomes.sort(), ["already_sent", "already_sent", "sent"]);
    assert.equal(posts, 1);
  });
});

Deno.test("createSignedWebhook() follows no redirect, which would drop the message", async () => {
  const seen: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { pathname } = new URL(request.url);
    seen.push(`${request.method} ${pathname}`);
    return pathname === "/hook"
      ? new Response(null, { status: 302, headers: { location: "/moved" } })
      : new Response("welcome");
  });
  const url = `http://127.0.0.1:${server.addr.port}/hook`;
  const webhook = createSignedWebhook({ url, secret: null, nowSeconds: () => 0 });
  assert.equal(await webhook.post({ id: "digest", text: "hello" }), "refused");
  assert.deepEqual(seen, ["POST /hook"]);
  await server.shutdown();
});
