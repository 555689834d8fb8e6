import assert from "node:assert/strict";
import { createKvPurgeBus } from "../../../../src/adapters/kv/kv_purge_bus.ts";
import type { ContentHash } from "../../../../src/core/content_hash.ts";
import { waitUntil } from "../../../support/wait_until.ts";

function hashOf(index: number): ContentHash {
  return index.toString(16).padStart(64, "0") as ContentHash;
}

Deno.test("createKvPurgeBus() tells every listener of every purge, once and in order", async () => {
  const kv = await Deno.openKv(":memory:");
  const buses = [0, 1].map(() => createKvPurgeBus({ kv, pollMs: 20 }));
  const heard: (ContentHash | null)[][] = [[], []];
  const subscriptions = buses.map((bus, i) => bus.subscribe((hash) => heard[i].push(hash)));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const hashes = Array.from({ length: 40 }, (_, index) => hashOf(index));
  for (const hash of hashes) await buses[0].publish(hash);
  await waitUntil(() => heard.every((list) => list.length >= hashes.length));
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.deepEqual(heard, [hashes, hashes]);
  for (const subscription of subscriptions) await subscription[Symbol.asyncDispose]();
  kv.close();
});

Deno.test("createKvPurgeBus() loses no purge of many publishers at once", async () => {
  const kv = await Deno.openKv(":memory:");
  const bus = createKvPurgeBus({ kv, pollMs: 20 });
  const heard = new Set<ContentHash | null>();
  const subscription = bus.subscribe((hash) => heard.add(hash));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await Promise.all(Array.from({ length: 8 }, (_, index) => bus.publish(hashOf(index))));
  await waitUntil(() => heard.size === 8);
  await subscription[Symbol.asyncDispose]();
  kv.close();
});

Deno.test("createKvPurgeBus() says so when the log was lost or is too far ahead", async () => {
  const kv = await Deno.openKv(":memory:");
  const bus = createKvPurgeBus({ kv, pollMs: 20 });
  await bus.publish(hashOf(1));
  const heard: (ContentHash | null)[] = [];
  const subscription = bus.subscribe((hash) => heard.push(hash));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(heard.length, 0);
  await kv.delete(["facet", "purges"]);
  await bus.publish(hashOf(2));
  await waitUntil(() => heard.includes(null));
  heard.length = 0;
  const { value } = await kv.get<{ nextSequence: number }>(["facet", "purges"]);
  await kv.set(["facet", "purges"], { ...value, nextSequence: value!.nextSequence + 5_000 });
  await waitUntil(() => heard.includes(null));
  await subscription[Symbol.asyncDispose]();
  kv.close();
});
