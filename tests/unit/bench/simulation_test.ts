/** The arithmetic of the simulation, against cases that were computed by hand. */
import assert from "node:assert/strict";
import {
  createReplay,
  emptyReplayCounts,
  hitRatio,
  scaleCounts,
  subtractCounts,
} from "../../../bench/simulation/replay.ts";
import { createRandom, sampleZipf, sumZipf } from "../../../bench/simulation/zipf.ts";

/** Entries of 1000 bytes cost 2024 each: two fit. */
const SMALL = {
  instances: 2,
  // Two variants of 1000 bytes: each is held twice, with 1024 bytes around it.
  memoryBytes: 2 * 3_024,
  kvTtlMs: 100,
  kvMaxValueBytes: 2_000,
  kvChunkBytes: 600,
};

Deno.test("createReplay() counts a trace as a person would", () => {
  const replay = createReplay(SMALL);
  const ask = (atMs: number, asset: number, instance = 0, bytes = 1_000) =>
    replay.request({ atMs, asset, variant: 0, bytes, instance });
  ask(0, 1); // render: 1 read, 1 + 2 writes
  ask(1, 1); // memory
  ask(2, 2); // render
  ask(3, 3); // render; 1 is the oldest and goes
  ask(4, 2); // memory
  ask(5, 1); // KV: 1 + 2 reads; 3 goes
  ask(6, 2); // memory
  ask(7, 2, 1); // the other instance: KV
  ask(101, 1, 1); // its time in KV was up at 100: render again
  ask(102, 9, 0, 5_000); // too large for KV and for memory: render
  ask(103, 9, 0, 5_000); // and again
  assert.deepEqual(replay.counts, {
    requests: 11,
    memoryHits: 3,
    kvHits: 2,
    renders: 6,
    // Six renders looked once each, two hits read head and chunks.
    kvReads: 6 + 2 * 3,
    // Four renders of 1000 bytes: a head and two chunks each.
    kvWrites: 4 * 3,
    s3Reads: 6,
    egressBytes: 9 * 1_000 + 2 * 5_000,
    variants: 4,
    variantBytes: 3 * 1_000 + 5_000,
    variantsOfFive: 4,
  });
  assert.equal(hitRatio(replay.counts), 5 / 11);
});

Deno.test("createReplay() counts at most five variants of an asset as pre-generated ones", () => {
  const replay = createReplay(SMALL);
  for (let variant = 0; variant < 7; variant++) {
    replay.request({ atMs: 0, asset: 1, variant, bytes: 10, instance: 0 });
  }
  assert.deepEqual([replay.counts.variants, replay.counts.variantsOfFive], [7, 5]);
});

Deno.test("scaleCounts() takes requests that the sample lacks for hits in memory", () => {
  const sample = {
    ...emptyReplayCounts(),
    requests: 80,
    memoryHits: 30,
    kvHits: 20,
    renders: 30,
    egressBytes: 800,
  };
  const whole = scaleCounts(sample, { every: 10, expected: 100 });
  assert.deepEqual(
    [whole.requests, whole.memoryHits, whole.kvHits, whole.renders, whole.egressBytes],
    [1_000, 500, 200, 300, 10_000],
  );
  // A sample that happens to hold the most popular asset has too many.
  assert.equal(scaleCounts(sample, { every: 1, expected: 60 }).memoryHits, 10);
  assert.equal(subtractCounts(whole, sample).requests, 920);
});

Deno.test("sumZipf() is the harmonic number", () => {
  assert.equal(sumZipf(3, 1), 1 + 1 / 2 + 1 / 3);
  let exact = 0;
  for (let rank = 1; rank <= 200_000; rank++) exact += rank ** -0.9;
  assert.ok(Math.abs(sumZipf(200_000, 0.9) - exact) < 1e-8);
});

Deno.test("sampleZipf() chooses by popularity: 6, 3 and 2 of 11 for three assets", () => {
  const sample = sampleZipf(3, { exponent: 1, every: 1, random: createRandom(1) });
  assert.deepEqual([...sample.ranks], [1, 2, 3]);
  assert.ok(Math.abs(sample.share - 1) < 1e-12);
  const chosen = Array.from({ length: 11 }, (_, i) => sample.choose((i + 0.5) / 11));
  assert.deepEqual(chosen, [0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2]);
});

Deno.test("sampleZipf() samples one of each run, and knows its share", () => {
  const sample = sampleZipf(1_000, { exponent: 0.9, every: 10, random: createRandom(2) });
  assert.equal(sample.ranks.length, 100);
  assert.ok(sample.ranks.every((rank, i) => rank > i * 10 && rank <= (i + 1) * 10));
  const weight = sample.ranks.reduce((sum, rank) => sum + rank ** -0.9, 0);
  assert.ok(Math.abs(sample.share - weight / sumZipf(1_000, 0.9)) < 1e-12);
  const again = sampleZipf(1_000, { exponent: 0.9, every: 10, random: createRandom(2) });
  assert.deepEqual(again.ranks, sample.ranks);
});
