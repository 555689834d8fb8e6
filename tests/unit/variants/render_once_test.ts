import assert from "node:assert/strict";
import { Budget } from "../../../src/core/budget.ts";
import type { ContentHash } from "../../../src/core/content_hash.ts";
import type { CachedVariant, HeldLease, VariantCache } from "../../../src/variants/ports.ts";
import {
  renderOnce,
  type RenderOnceOptions,
  renderQueueFull,
} from "../../../src/variants/render_once.ts";

const KEY = { hash: "ab".repeat(32) as ContentHash, variant: "640x480/80.webp" };
const VARIANT: CachedVariant = {
  bytes: new Uint8Array([1, 2, 3]),
  mediaType: "image/webp",
  width: 640,
  height: 480,
};

/** A store of one variant and one lease, with a log of what was done to them. */
function setUp() {
  const log: string[] = [];
  const state = { cached: null as CachedVariant | null, heldByOther: false, nowMs: 0 };
  const cache: VariantCache = {
    get: () => Promise.resolve(state.cached),
    put(_key, variant) {
      log.push("put");
      state.cached = variant;
      return Promise.resolve(true);
    },
    list: () => Promise.resolve(new Map()),
    purge: () => Promise.resolve(0),
  };
  const lease: HeldLease = {
    token: 1n,
    renew: () => Promise.resolve(true),
    release() {
      log.push("release");
      return Promise.resolve();
    },
  };
  const waits: (() => void)[] = [];
  const beside: Promise<void>[] = [];
  const options: RenderOnceOptions<CachedVariant> = {
    key: KEY,
    cache,
    leases: {
      acquire: () => Promise.resolve(state.heldByOther ? null : lease),
      waitForRelease(_key, { timeoutMs }) {
        log.push("wait");
        state.nowMs += timeoutMs;
        waits.shift()?.();
        return Promise.resolve();
      },
    },
    render() {
      log.push("render");
      return Promise.resolve(VARIANT);
    },
    isPurged: () => false,
    signal: new AbortController().signal,
    line: new Budget({ capacity: 1, maxWaiting: 10, refuse: renderQueueFull }),
    runBeside: (work) => void beside.push(work),
    maxWaitMs: 10_000,
    nowMs: () => state.nowMs,
  };
  const settled = () => Promise.all(beside);
  return { log, state, waits, options, settled };
}

Deno.test("renderOnce() shares what it rendered before it gives the lease up", async () => {
  const { log, options, settled } = setUp();
  const result = await renderOnce(options);
  await settled();
  assert.deepEqual(result, { variant: VARIANT, renderedHere: true });
  assert.deepEqual(log, ["render", "put", "release"]);
});

Deno.test("renderOnce() takes what another instance has put while the lease was awaited", async () => {
  const { log, state, options, settled } = setUp();
  state.cached = VARIANT;
  assert.equal((await renderOnce(options)).renderedHere, false);
  await settled();
  assert.deepEqual(log, ["release"]);
});

Deno.test("renderOnce() waits for the leader's result", async () => {
  const { log, state, waits, options } = setUp();
  state.heldByOther = true;
  waits.push(() => {}, () => state.cached = VARIANT);
  assert.equal((await renderOnce(options)).renderedHere, false);
  assert.deepEqual(log, ["wait", "wait"]);
});

Deno.test("renderOnce() takes over from a leader that left nothing", async () => {
  const { log, state, waits, options, settled } = setUp();
  state.heldByOther = true;
  waits.push(() => state.heldByOther = false);
  assert.equal((await renderOnce(options)).renderedHere, true);
  await settled();
  assert.deepEqual(log, ["wait", "render", "put", "release"]);
});

Deno.test("renderOnce() gives up after its time rather than pile on", async () => {
  const { log, state, options } = setUp();
  state.heldByOther = true;
  await assert.rejects(renderOnce(options), { code: "render_queue_full", retryAfterSeconds: 2 });
  assert.ok(!log.includes("render"));
  assert.equal(state.nowMs, 10_000);
});

Deno.test("renderOnce() does not stand in line for longer than its time", async () => {
  const { log, options } = setUp();
  const turn = await options.line.reserve(1, options.signal);
  await assert.rejects(renderOnce({ ...options, maxWaitMs: 20 }), { code: "render_queue_full" });
  turn[Symbol.dispose]();
  assert.deepEqual(log, []);
  assert.equal((await renderOnce(options)).renderedHere, true);
});

Deno.test("renderOnce() gives the lease up when the render fails, and shares nothing", async () => {
  const { log, options } = setUp();
  const render = () => Promise.reject(new Error("broken"));
  await assert.rejects(renderOnce({ ...options, render }), /broken/);
  assert.deepEqual(log, ["release"]);
});

Deno.test("renderOnce() does not share what was purged meanwhile", async () => {
  const { log, options, settled } = setUp();
  assert.equal((await renderOnce({ ...options, isPurged: () => true })).renderedHere, true);
  await settled();
  assert.deepEqual(log, ["render", "release"]);
});

Deno.test("renderOnce() does not let a reply wait for a cache that is slow", async () => {
  const { options, settled } = setUp();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const cache = { ...options.cache!, put: () => promise };
  assert.equal((await renderOnce({ ...options, cache })).renderedHere, true);
  resolve(true);
  await settled();
});

Deno.test("renderOnce() works without a cache and without leases", async () => {
  const { options } = setUp();
  assert.equal((await renderOnce({ ...options, cache: null, leases: null })).renderedHere, true);
  assert.equal((await renderOnce({ ...options, cache: null })).renderedHere, true);
});
