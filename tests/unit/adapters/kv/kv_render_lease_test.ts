import assert from "node:assert/strict";
import { createKvGuard } from "../../../../src/adapters/kv/kv_guard.ts";
import { createKvRenderLease } from "../../../../src/adapters/kv/kv_render_lease.ts";
import type { ContentHash } from "../../../../src/core/content_hash.ts";
import type { RenderLease } from "../../../../src/variants/ports.ts";

const KEY = { hash: "ab".repeat(32) as ContentHash, variant: "640x480/80.webp" };
const OTHER = { ...KEY, variant: "320x240/80.webp" };
const nowMs = () => performance.now();
const { signal } = new AbortController();

async function withLeases(
  work: (create: () => RenderLease) => Promise<void>,
): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  const create = () =>
    createKvRenderLease({
      kv,
      guard: createKvGuard({ nowMs }),
      rendererVersion: "r1",
      instanceId: crypto.randomUUID(),
      nowMs,
      ttlMs: 150,
      pollMs: 5,
    });
  try {
    await work(create);
  } finally {
    kv.close();
  }
}

Deno.test("createKvRenderLease() gives a variant to one of many instances", () =>
  withLeases(async (create) => {
    const taken = await Promise.all(Array.from({ length: 20 }, () => create().acquire(KEY)));
    assert.equal(taken.filter((lease) => lease !== null).length, 1);
    assert.ok(await create().acquire(OTHER));
  }));

Deno.test("createKvRenderLease() wakes those who wait when the holder releases", () =>
  withLeases(async (create) => {
    const lease = await create().acquire(KEY);
    const waiting = create().waitForRelease(KEY, { timeoutMs: 5_000, signal });
    const startedMs = nowMs();
    await new Promise((resolve) => setTimeout(resolve, 30));
    await lease!.release();
    await waiting;
    assert.ok(nowMs() - startedMs < 1_000);
    assert.ok(await create().acquire(KEY));
  }));

Deno.test("createKvRenderLease() keeps a lease that is renewed beyond its time", () =>
  withLeases(async (create) => {
    const lease = await create().acquire(KEY);
    const rival = create();
    for (let i = 0; i < 10; i++) {
      assert.equal(await rival.acquire(KEY), null);
      await new Promise((resolve) => setTimeout(resolve, 40));
      assert.equal(await lease!.renew(), true);
    }
  }));

Deno.test("createKvRenderLease() hands a dead holder's lease to one of those who wait", () =>
  withLeases(async (create) => {
    await create().acquire(KEY);
    const rivals = [create(), create(), create()];
    await Promise.all(rivals.map((rival) => rival.acquire(KEY)));
    await Promise.all(
      rivals.map((rival) => rival.waitForRelease(KEY, { timeoutMs: 5_000, signal })),
    );
    const taken = await Promise.all(rivals.map((rival) => rival.acquire(KEY)));
    assert.equal(taken.filter((lease) => lease !== null).length, 1);
  }));

Deno.test("createKvRenderLease() ends a wait with its time or its signal", () =>
  withLeases(async (create) => {
    const lease = await create().acquire(KEY);
    const renewal = setInterval(() => lease!.renew(), 20);
    try {
      await create().waitForRelease(KEY, { timeoutMs: 60, signal });
      const reason = new Error("gone");
      await assert.rejects(
        create().waitForRelease(KEY, { timeoutMs: 60, signal: AbortSignal.abort(reason) }),
        reason,
      );
    } finally {
      clearInterval(renewal);
      await lease!.release();
    }
  }));

Deno.test("createKvRenderLease() lets everybody render while KV is gone", async () => {
  const kv = await Deno.openKv(":memory:");
  kv.close();
  const guard = createKvGuard({ nowMs });
  const leases = createKvRenderLease({ kv, guard, rendererVersion: "r1", instanceId: "a", nowMs });
  const lease = await leases.acquire(KEY);
  assert.ok(lease);
  assert.equal(await lease.renew(), true);
  await lease.release();
  await leases.waitForRelease(KEY, { timeoutMs: 1_000, signal });
});
