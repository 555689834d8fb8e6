import assert from "node:assert/strict";
import { createKvGuard } from "../../../../src/adapters/kv/kv_guard.ts";
import { createKvRenderLease } from "../../../../src/adapters/kv/kv_render_lease.ts";
import {
  CHUNK_BYTES,
  createKvVariantCache,
  MAX_VALUE_BYTES,
} from "../../../../src/adapters/kv/kv_variant_cache.ts";
import type { ContentHash } from "../../../../src/core/content_hash.ts";
import type { CachedVariant, VariantKey } from "../../../../src/variants/ports.ts";

const HASH = "ab".repeat(32) as ContentHash;
const KEY: VariantKey = { hash: HASH, variant: "640x480/80.webp" };
const nowMs = () => performance.now();

function makeVariant(sizeBytes: number, seed = 1): CachedVariant {
  const bytes = new Uint8Array(sizeBytes);
  for (let i = 0; i < sizeBytes; i++) bytes[i] = (i * seed * 31) >> 3;
  return { bytes, mediaType: "image/webp", width: 640, height: 480 };
}

async function withKv(work: (kv: Deno.Kv) => Promise<void>): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  try {
    await work(kv);
  } finally {
    kv.close();
  }
}

function createCache(kv: Deno.Kv, options: { version?: string; causes?: string[] } = {}) {
  const observer = {
    cacheLookedUp() {},
    rendered() {},
    cacheFailed: (_operation: string, cause: string) => void options.causes?.push(cause),
  };
  const guard = createKvGuard({ nowMs, observer });
  const rendererVersion = options.version ?? "r1";
  return createKvVariantCache({ kv, guard, rendererVersion, observer });
}

function createLeases(kv: Deno.Kv) {
  return createKvRenderLease({
    kv,
    guard: createKvGuard({ nowMs }),
    rendererVersion: "r1",
    instanceId: "a",
    nowMs,
    ttlMs: 200,
    pollMs: 5,
  });
}

Deno.test("createKvVariantCache() gives back what was put, of every size up to the limit", () =>
  withKv(async (kv) => {
    const cache = createCache(kv);
    for (
      const sizeBytes of [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, MAX_VALUE_BYTES]
    ) {
      const variant = makeVariant(sizeBytes, sizeBytes + 1);
      assert.equal(await cache.put(KEY, variant, null), true);
      assert.deepEqual(await cache.get(KEY), variant);
    }
    assert.equal(await cache.put(KEY, makeVariant(MAX_VALUE_BYTES + 1), null), false);
  }));

Deno.test("createKvVariantCache() leaves no chunk of a longer predecessor", () =>
  withKv(async (kv) => {
    const cache = createCache(kv);
    await cache.put(KEY, makeVariant(300_000), null);
    await cache.put(KEY, makeVariant(10, 7), null);
    assert.deepEqual(await cache.get(KEY), makeVariant(10, 7));
    assert.equal((await Array.fromAsync(kv.list({ prefix: ["facet", "variant"] }))).length, 1);
  }));

Deno.test("createKvVariantCache() keeps renderer versions and variants apart", () =>
  withKv(async (kv) => {
    await createCache(kv).put(KEY, makeVariant(10), null);
    assert.equal(await createCache(kv, { version: "r2" }).get(KEY), null);
    assert.equal(await createCache(kv).get({ hash: HASH, variant: "640x480/85.webp" }), null);
  }));

Deno.test("createKvVariantCache() drops what is torn, mixed or foreign and says so", () =>
  withKv(async (kv) => {
    const causes: string[] = [];
    const cache = createCache(kv, { causes });
    const base = ["facet", "variant", HASH, "r1", KEY.variant];
    const damages: (() => Promise<unknown>)[] = [
      () => kv.delete([...base, 1]),
      () => kv.set([...base, 1], new Uint8Array(CHUNK_BYTES)),
      () => kv.set([...base, 4], new Uint8Array(5)),
      () => kv.set([...base, 2], "text"),
      () => kv.set([...base, 0], { sizeBytes: 10 }),
      () => kv.set([...base, 0], 42),
      async () => {
        const { value } = await kv.get<object>([...base, 0]);
        await kv.set([...base, 0], { ...value, sizeBytes: 2 ** 50 });
      },
    ];
    for (const damage of damages) {
      await cache.put(KEY, makeVariant(200_000, 3), null);
      await damage();
      assert.equal(await cache.get(KEY), null);
      assert.equal((await Array.fromAsync(kv.list({ prefix: base }))).length, 0);
    }
    assert.deepEqual(causes, damages.map(() => "corrupt"));
  }));

Deno.test("createKvVariantCache() never shows a mixture while a variant is being replaced", () =>
  withKv(async (kv) => {
    const cache = createCache(kv);
    const variants = [makeVariant(250_000, 3), makeVariant(130_000, 5)];
    await cache.put(KEY, variants[0], null);
    const writing = (async () => {
      for (let i = 0; i < 60; i++) await cache.put(KEY, variants[i % 2], null);
    })();
    for (let i = 0; i < 60; i++) {
      const found = await cache.get(KEY);
      assert.ok(variants.some(({ bytes }) => found && bytes.length === found.bytes.length));
    }
    await writing;
  }));

Deno.test("createKvVariantCache() purges every variant and version of one asset", () =>
  withKv(async (kv) => {
    const other = { hash: "cd".repeat(32) as ContentHash, variant: KEY.variant };
    const cache = createCache(kv);
    for (let i = 0; i < 30; i++) {
      await cache.put({ hash: HASH, variant: `${i}` }, makeVariant(70_000), null);
    }
    await createCache(kv, { version: "r2" }).put(KEY, makeVariant(5), null);
    await cache.put(other, makeVariant(5), null);
    assert.equal(await cache.purge(HASH), 31);
    assert.equal(await cache.get({ hash: HASH, variant: "3" }), null);
    assert.ok(await cache.get(other));
  }));

Deno.test("createKvVariantCache() does not take what was rendered before a purge", () =>
  withKv(async (kv) => {
    const cache = createCache(kv);
    const lease = await createLeases(kv).acquire(KEY);
    await cache.purge(HASH);
    assert.equal(await cache.put(KEY, makeVariant(5), lease), false);
    assert.equal(await cache.get(KEY), null);
    await lease!.release();
    const after = await createLeases(kv).acquire(KEY);
    assert.equal(await cache.put(KEY, makeVariant(5), after), true);
  }));

Deno.test("createKvVariantCache() does not take what a leader writes who was taken for dead", () =>
  withKv(async (kv) => {
    const cache = createCache(kv);
    const zombie = await createLeases(kv).acquire(KEY);
    const rivals = createLeases(kv);
    assert.equal(await rivals.acquire(KEY), null);
    await new Promise((resolve) => setTimeout(resolve, 250));
    const successor = await rivals.acquire(KEY);
    assert.ok(successor && successor.token > zombie!.token);
    assert.equal(await cache.put(KEY, makeVariant(5), zombie), false);
    assert.equal(await zombie!.renew(), false);
    await zombie!.release();
    assert.equal(await cache.put(KEY, makeVariant(7), zombie), false);
    assert.equal(await cache.put(KEY, makeVariant(9), successor), true);
    assert.equal((await cache.get(KEY))?.bytes.length, 9);
  }));

Deno.test("createKvVariantCache() looks empty and never throws when KV is gone", async () => {
  const kv = await Deno.openKv(":memory:");
  const causes: string[] = [];
  const cache = createCache(kv, { causes });
  kv.close();
  for (let i = 0; i < 6; i++) {
    assert.equal(await cache.get(KEY), null);
    assert.equal(await cache.put(KEY, makeVariant(5), null), false);
  }
  assert.equal(causes.filter((cause) => cause === "error").length, 5);
  assert.equal(causes.filter((cause) => cause === "circuit_open").length, 7);
  await assert.rejects(cache.purge(HASH));
});
