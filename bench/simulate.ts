// deno-lint-ignore-file no-console
/**
 * Two weeks of traffic in a minute: a Zipf-distributed trace through the memory cache of the
 * service and a model of the shared cache, by a virtual clock.
 *
 *     deno run -A bench/simulate.ts
 *     deno run -A bench/simulate.ts --assets 48000000 --requests-per-day 42000000 --exponent 0.9 \
 *       --every 100 --seed 1 --instances 8
 *
 * One asset in `--every` is simulated, with that part of the requests and of the memory (spatial
 * sampling); results are those of the whole. The shared cache never fails here, instances live for
 * the whole time, no CDN stands in front, and popularity does not change: real hit ratios differ.
 */
import { parseArgs } from "node:util";
import { compareCosts } from "../src/core/cost_model.ts";
import { PRICE_PROFILES } from "../src/costs/price_profiles.ts";
import {
  createReplay,
  hitRatio,
  type ReplayCounts,
  scaleCounts,
  subtractCounts,
} from "./simulation/replay.ts";
import { createRandom, sampleZipf } from "./simulation/zipf.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    assets: { type: "string", default: "48000000" },
    "requests-per-day": { type: "string", default: "42000000" },
    exponent: { type: "string", default: "0.9" },
    every: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    instances: { type: "string", default: "8" },
    "memory-mib": { type: "string", default: "64" },
    "original-bytes": { type: "string", default: "1700000" },
    "render-ms": { type: "string", default: "80" },
  },
});
const assets = Number(values.assets);
const requestsPerDay = Number(values["requests-per-day"]);
const every = Number(values.every);
const instances = Number(values.instances);

const DAY_MS = 24 * 3_600_000;
const DAYS = 14;
const EARLY_DAYS = 3;
/** How requests spread over the variants of an asset: pages ask for a few sizes. */
const VARIANT_SHARES = [0.45, 0.25, 0.15, 0.1, 0.05];
/** Mean bytes of each of those variants. */
const VARIANT_BYTES = [12_000, 30_000, 60_000, 110_000, 220_000];

const random = createRandom(Number(values.seed));
const sample = sampleZipf(assets, { exponent: Number(values.exponent), every, random });
const replay = createReplay({
  instances,
  memoryBytes: Number(values["memory-mib"]) * 2 ** 20 / every,
  kvTtlMs: 30 * DAY_MS,
  kvMaxValueBytes: 600 * 1024,
  kvChunkBytes: 60 * 1024,
});

function chooseVariant(): number {
  let left = random();
  for (let variant = 0; variant < VARIANT_SHARES.length - 1; variant++) {
    left -= VARIANT_SHARES[variant];
    if (left < 0) return variant;
  }
  return VARIANT_SHARES.length - 1;
}

/** Between half and one and a half times the mean, the same for every request of a variant. */
function bytesOf(rank: number, variant: number): number {
  const spread = ((rank * 2_654_435_761 + variant * 40_503) % 1_000) / 1_000;
  return Math.round(VARIANT_BYTES[variant] * (0.5 + spread));
}

function runUntil(day: number, from: number): void {
  const perDay = requestsPerDay * sample.share;
  const count = Math.round(perDay * (day - from));
  for (let i = 0; i < count; i++) {
    const atMs = (from + i / perDay) * DAY_MS;
    const rank = sample.ranks[sample.choose(random())];
    const variant = chooseVariant();
    const instance = Math.floor(random() * instances);
    replay.request({ atMs, asset: rank, variant, bytes: bytesOf(rank, variant), instance });
  }
}

function scaled(counts: ReplayCounts, days: number): ReplayCounts {
  return scaleCounts(counts, { every, expected: requestsPerDay * days / every });
}

const startedMs = performance.now();
const [beforeEarly, beforeLate] = [EARLY_DAYS - 1, DAYS - 1];
const marks: ReplayCounts[] = [];
let at = 0;
for (const day of [beforeEarly, EARLY_DAYS, beforeLate, DAYS]) {
  runUntil(day, at);
  marks.push({ ...replay.counts });
  at = day;
}
const early = scaled(subtractCounts(marks[1], marks[0]), 1);
const late = scaled(subtractCounts(marks[3], marks[2]), 1);
const total = scaled(marks[3], DAYS);
report();

function report(): void {
  const millions = (value: number) => `${(value / 1e6).toFixed(2)} M`;
  const percent = (value: number) => `${(value * 100).toFixed(1)} %`;
  const terabytes = (value: number) => `${(value / 1e12).toFixed(2)} TB`;
  console.log(
    `${millions(assets)} assets, ${millions(requestsPerDay)} requests a day, Zipf ` +
      `${values.exponent}, ${instances} instances, seed ${values.seed}; one asset in ${every} ` +
      `(${((performance.now() - startedMs) / 1000).toFixed(1)} s)`,
  );
  for (const [name, day] of [["72 hours", early], ["14 days", late]] as const) {
    console.log(
      `hit ratio after ${name}, of the day before: ${percent(hitRatio(day))} ` +
        `(memory ${percent(day.memoryHits / day.requests)}, ` +
        `KV ${percent(day.kvHits / day.requests)}); ${millions(day.renders)} renders that day`,
    );
  }
  console.log(
    `in 14 days: ${millions(total.requests)} requests, ${millions(total.renders)} renders`,
  );
  console.log(
    `KV: ${millions(total.kvReads)} reads, ${millions(total.kvWrites)} writes; ` +
      `S3: ${millions(total.s3Reads)} reads`,
  );
  const originalBytes = Number(values["original-bytes"]);
  const comparison = compareCosts({
    days: DAYS,
    assets,
    newAssets: 0,
    standardBytes: assets * originalBytes,
    infrequentBytes: 0,
    archiveBytes: 0,
    variantRequests: total.requests,
    memoryHits: total.memoryHits,
    kvHits: total.kvHits,
    misses: total.renders,
    notModified: 0,
    originalRequests: 0,
    renders: total.renders,
    egressBytes: total.egressBytes,
    computeMs: total.renders * Number(values["render-ms"]),
    variants: total.variants,
    variantBytes: total.variantBytes,
    variantsOfFive: total.variantsOfFive,
  }, PRICE_PROFILES.r2);
  console.log(
    `variants rendered: ${millions(total.variants)} (${terabytes(total.variantBytes)}) of ` +
      `${millions(comparison.pregenerated)}; never asked for: ${
        millions(comparison.neverRequested)
      }; ` +
      `storage avoided: ${terabytes(comparison.storageAvoidedBytes)}`,
  );
  const usd = (value: number) => Math.round(value).toLocaleString("en-US");
  console.log(
    `a month at R2's prices: ${usd(comparison.currentUsd)} USD on demand, ` +
      `${usd(comparison.legacyUsd)} USD pre-generated (${comparison.savingsPercent} % saved), ` +
      `and once ${usd(comparison.legacyBacklogUsd)} USD to make all variants`,
  );
  const { egress, requests } = comparison.current;
  console.log(
    `of either bill ${
      usd(egress + requests)
    } USD are bytes sent and requests served, without a CDN`,
  );
}
