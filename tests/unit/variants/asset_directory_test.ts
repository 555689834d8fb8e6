import assert from "node:assert/strict";
import type { ContentHash } from "../../../src/core/content_hash.ts";
import { AppError } from "../../../src/errors.ts";
import {
  type AssetDirectoryOptions,
  createAssetDirectory,
} from "../../../src/variants/asset_directory.ts";
import type { AssetRecord } from "../../../src/variants/ports.ts";
import { makeAsset } from "../../http/delivery_fixture.ts";

const { record: READY } = makeAsset("a photograph");

function setUp(options: Partial<AssetDirectoryOptions> = {}) {
  const state = {
    nowMs: 0,
    asked: 0,
    answer: (): Promise<AssetRecord | null> => Promise.resolve(READY),
  };
  const directory = createAssetDirectory({
    lookup: {
      find() {
        state.asked++;
        return state.answer();
      },
    },
    nowMs: () => state.nowMs,
    ...options,
  });
  return { state, directory };
}

function hashOf(index: number): ContentHash {
  return index.toString(16).padStart(64, "0") as ContentHash;
}

Deno.test("createAssetDirectory() asks once however many want to know", async () => {
  const { state, directory } = setUp();
  await Promise.all(Array.from({ length: 100 }, () => directory.find(READY.hash)));
  assert.equal(state.asked, 1);
  assert.equal(directory.peek(READY.hash), READY);
});

Deno.test("createAssetDirectory() believes an unknown hash for seconds only", async () => {
  const { state, directory } = setUp();
  state.answer = () => Promise.resolve(null);
  assert.equal(await directory.find(READY.hash), null);
  assert.equal(await directory.find(READY.hash), null);
  assert.equal(state.asked, 1);
  state.nowMs += 3_000;
  assert.equal(directory.peek(READY.hash), undefined);
  await directory.find(READY.hash);
  assert.equal(state.asked, 2);
});

Deno.test("createAssetDirectory() holds a bounded number of unknown hashes, and known ones besides", async () => {
  const { state, directory } = setUp({ maxNegative: 10 });
  await directory.find(READY.hash);
  state.answer = () => Promise.resolve(null);
  for (let i = 0; i < 1_000; i++) await directory.find(hashOf(i));
  const remembered = Array.from({ length: 1_000 }, (_, i) => directory.peek(hashOf(i)))
    .filter((record) => record !== undefined);
  assert.equal(remembered.length, 10);
  assert.equal(directory.peek(READY.hash), READY);
});

Deno.test("createAssetDirectory() refreshes a known asset beside the request", async () => {
  const { state, directory } = setUp();
  const changes: ContentHash[] = [];
  directory.onChange((hash) => changes.push(hash));
  await directory.find(READY.hash);
  state.nowMs += 60_000;
  state.answer = () => Promise.resolve({ ...READY, state: "DELETED" });
  assert.equal(directory.peek(READY.hash), READY);
  assert.equal(directory.peek(READY.hash), READY);
  assert.equal(state.asked, 2);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(directory.peek(READY.hash)?.state, "DELETED");
  assert.deepEqual(changes, [READY.hash]);
});

Deno.test("createAssetDirectory() waits for the catalog when what it knows is too old", async () => {
  const { state, directory } = setUp();
  await directory.find(READY.hash);
  state.nowMs += 600_000;
  assert.equal(directory.peek(READY.hash), undefined);
  state.answer = () => Promise.reject(new AppError("catalog_unavailable", "down"));
  assert.equal(await directory.find(READY.hash), READY);
  await assert.rejects(directory.find(hashOf(1)), { code: "catalog_unavailable" });
});

Deno.test("createAssetDirectory() does not remember an answer from before it was told to forget", async () => {
  const { state, directory } = setUp();
  const { promise, resolve } = Promise.withResolvers<AssetRecord | null>();
  state.answer = () => promise;
  const early = directory.find(READY.hash);
  directory.forget(READY.hash);
  state.answer = () => Promise.resolve(READY);
  const late = directory.find(READY.hash);
  resolve(null);
  assert.equal(await early, null);
  assert.equal(await late, READY);
  assert.equal(directory.peek(READY.hash), READY);
});

Deno.test("createAssetDirectory() refuses more lookups at once than the catalog should get", async () => {
  const { state, directory } = setUp({ maxConcurrent: 5 });
  const { promise, resolve } = Promise.withResolvers<AssetRecord | null>();
  state.answer = () => promise;
  const lookups = Array.from({ length: 8 }, (_, i) => directory.find(hashOf(i)));
  const outcomes = Promise.allSettled(lookups);
  resolve(null);
  const refused = (await outcomes).filter(({ status }) => status === "rejected");
  assert.equal(refused.length, 3);
  assert.equal(state.asked, 5);
});
