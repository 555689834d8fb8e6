// deno-lint-ignore-file no-console
/**
 * Renders every large photograph and some 2-megapixel sources with Facet's pipeline and with sharp,
 * in one process and in turns, and prints time ratios, bytes and fidelity.
 *
 *     deno task bench              # everything
 *     deno task bench --quick      # three rounds instead of seven
 *     deno task bench --only=test  # sources whose name contains the word
 */
import sharp from "sharp";
import { memorySource } from "../src/core/image_header/byte_source.ts";
import { probeImage } from "../src/core/image_header/probe_image.ts";
import { createPipelineParts } from "../src/adapters/workers/codec_registry.ts";
import { type RenderedImage, renderImage } from "../src/image/pipeline.ts";
import { CENTRE, type OutputFormat } from "../src/image/render_spec.ts";
import { placeSource } from "../src/image/geometry.ts";
import { lanczosReference, psnr } from "../tests/support/pixel_fidelity.ts";
import { type BenchSource, loadBenchSources } from "./sources.ts";
import { createRenderPool } from "../src/adapters/workers/render_pool.ts";
import { FORMATS, measurePeakMb, QUALITY, renderSharp, SIZES } from "./render_peak.ts";

const quick = Deno.args.includes("--quick");
const only = Deno.args.find((each) => each.startsWith("--only="))?.slice(7) ?? "";
const rounds = quick ? 3 : 7;

interface Job {
  readonly source: BenchSource;
  readonly width: number;
  readonly height: number;
  readonly format: "webp" | "jpg";
}

interface Outcome {
  readonly job: Job;
  readonly ourMs: number;
  readonly theirMs: number;
  readonly ourBytes: number;
  readonly theirBytes: number;
  readonly ourPsnr: number;
  readonly theirPsnr: number;
  readonly stages: Readonly<Record<string, number>>;
}

const parts = createPipelineParts();

async function renderOurs({ source, width, height, format }: Job): Promise<RenderedImage> {
  const facts = await probeImage(memorySource(source.bytes));
  if (facts === null) throw new Error(`${source.name} is no image`);
  return await renderImage({
    source: source.bytes,
    facts,
    spec: { width, height, fit: "cover", focal: CENTRE, quality: QUALITY, format },
    memoryBudgetBytes: 2 ** 30,
  }, parts);
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const start = performance.now();
  const value = await work();
  return { value, ms: performance.now() - start };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

async function measure(job: Job, reference: Uint8Array): Promise<Outcome> {
  const ours: number[] = [];
  const theirs: number[] = [];
  const stages: Record<string, number[]> = {};
  let ourBytes = new Uint8Array(0);
  let theirBytes = new Uint8Array(0);
  for (let round = -2; round < rounds; round++) {
    const a = await timed(() => renderOurs(job));
    const b = await timed(() => renderSharp(sharp, job.source.bytes, job));
    ourBytes = a.value.bytes;
    theirBytes = new Uint8Array(b.value);
    if (round < 0) continue;
    ours.push(a.ms);
    theirs.push(b.ms);
    for (const [name, ms] of Object.entries(a.value.stages)) (stages[name] ??= []).push(ms);
  }
  return {
    job,
    ourMs: median(ours),
    theirMs: median(theirs),
    ourBytes: ourBytes.length,
    theirBytes: theirBytes.length,
    ourPsnr: psnr(await rawPixels(ourBytes), reference, 3),
    theirPsnr: psnr(await rawPixels(theirBytes), reference, 3),
    stages: Object.fromEntries(Object.entries(stages).map(([name, all]) => [name, median(all)])),
  };
}

/**
 * What a full-resolution Lanczos3 makes of the decoded picture: no shrinking on load. Enlargements
 * are done in float64 here: libvips moves them by half a pixel of the result.
 */
async function makeReference(
  source: BenchSource,
  size: readonly [number, number],
): Promise<Uint8Array> {
  const { data, info } = await sharp(source.bytes).autoOrient().removeAlpha().raw()
    .toBuffer({ resolveWithObject: true });
  const raw = { width: info.width, height: info.height, channels: info.channels };
  const target = { width: size[0], height: size[1] };
  if (info.width < size[0] || info.height < size[1]) {
    const spec = {
      ...target,
      fit: "cover",
      focal: CENTRE,
      quality: QUALITY,
      format: "png",
    } as const;
    return lanczosReference({ ...raw, data }, placeSource(raw, spec).crop, target);
  }
  return await sharp(data, { raw }).resize(size[0], size[1], { fit: "cover", kernel: "lanczos3" })
    .toColourspace("srgb").raw().toBuffer();
}

async function rawPixels(file: Uint8Array): Promise<Uint8Array> {
  return await sharp(file).removeAlpha().toColourspace("srgb").raw().toBuffer();
}

function geometricMean(values: number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

function printOutcome(outcome: Outcome): void {
  const { job, stages } = outcome;
  const spent = Object.entries(stages).filter(([, ms]) => ms >= 0.5)
    .map(([name, ms]) => `${name} ${ms.toFixed(0)}`).join(" ");
  console.log([
    job.source.name.padEnd(24),
    `${job.width}x${job.height}`.padEnd(9),
    job.format.padEnd(4),
    `${outcome.ourMs.toFixed(1)} / ${outcome.theirMs.toFixed(1)} ms`.padStart(19),
    (outcome.ourMs / outcome.theirMs).toFixed(2).padStart(5),
    `bytes ${(outcome.ourBytes / outcome.theirBytes).toFixed(3)}`,
    `PSNR ${outcome.ourPsnr.toFixed(1)} / ${outcome.theirPsnr.toFixed(1)}`,
    `(${spent})`,
  ].join("  "));
}

function printSummary(outcomes: readonly Outcome[]): void {
  const ratio = (each: Outcome) => each.ourMs / each.theirMs;
  const groups: Record<string, (each: Outcome) => boolean> = {
    "photographs, all": (each) => each.job.source.kind === "photo",
    "photographs, webp": (each) => each.job.source.kind === "photo" && each.job.format === "webp",
    "photographs, jpg": (each) => each.job.source.kind === "photo" && each.job.format === "jpg",
    "progressive to 640 and less": (each) => each.job.source.progressive && each.job.width <= 640,
    "2 MP jpeg to 640 webp": (each) => isTwoMegapixel(each, "jpeg", "webp"),
    "2 MP jpeg to 640 jpg": (each) => isTwoMegapixel(each, "jpeg", "jpg"),
    "2 MP png to 640 webp": (each) => isTwoMegapixel(each, "png", "webp"),
    "2 MP png to 640 jpg": (each) => isTwoMegapixel(each, "png", "jpg"),
    "2 MP webp to 640 webp": (each) => isTwoMegapixel(each, "webp", "webp"),
    "2 MP webp to 640 jpg": (each) => isTwoMegapixel(each, "webp", "jpg"),
  };
  console.log("\nRatio of Facet's time to sharp's (below 1 is faster), geometric mean / worst:");
  for (const [name, belongs] of Object.entries(groups)) {
    const ratios = outcomes.filter(belongs).map(ratio);
    if (ratios.length === 0) continue;
    const slower = ratios.filter((value) => value > 1).length;
    console.log(
      `  ${name.padEnd(28)} ${geometricMean(ratios).toFixed(2)} / ${
        Math.max(...ratios).toFixed(2)
      }` +
        `  (${ratios.length} cases, ${slower} above 1)`,
    );
  }
  const bytes = outcomes.map((each) => each.ourBytes / each.theirBytes);
  const fidelity = outcomes.map((each) => each.ourPsnr - each.theirPsnr);
  console.log(
    `  bytes against sharp          ${geometricMean(bytes).toFixed(3)} ` +
      `(${Math.min(...bytes).toFixed(3)}–${Math.max(...bytes).toFixed(3)})`,
  );
  console.log(
    `  PSNR against sharp, dB       ${Math.min(...fidelity).toFixed(2)} to ` +
      `${Math.max(...fidelity).toFixed(2)}`,
  );
}

function isTwoMegapixel({ job }: Outcome, kind: string, format: OutputFormat): boolean {
  return job.source.kind === kind && job.width === 640 && job.format === format;
}

/** Images per second with two at a time: our two workers against sharp's thread pool. */
async function measureThroughput(source: BenchSource): Promise<void> {
  const seconds = quick ? 2 : 5;
  const job: Job = { source, width: 640, height: 480, format: "webp" };
  const pool = createRenderPool({ size: 2 });
  await pool.warm();
  const signal = new AbortController().signal;
  const ours = await countPerSecond(seconds, () =>
    pool.render(source.bytes.slice(), {
      width: 640,
      height: 480,
      fit: "cover",
      focal: CENTRE,
      quality: QUALITY,
      format: "webp",
    }, { signal }));
  pool.close();
  const theirs = await countPerSecond(seconds, () => renderSharp(sharp, source.bytes, job));
  console.log(
    `  ${source.name.padEnd(24)} ${ours.toFixed(1)} / ${theirs.toFixed(1)} images per second: ` +
      (ours / theirs).toFixed(2),
  );
}

async function countPerSecond(seconds: number, work: () => Promise<unknown>): Promise<number> {
  await Promise.all([work(), work()]);
  const end = performance.now() + seconds * 1000;
  let count = 0;
  const lane = async () => {
    while (performance.now() < end) {
      await work();
      count++;
    }
  };
  const start = performance.now();
  await Promise.all([lane(), lane()]);
  return count / ((performance.now() - start) / 1000);
}

/** Peaks of processes that do nothing else than render all sources, on either side. */
async function printPeaks(sources: readonly BenchSource[]): Promise<void> {
  console.log("\nPeak RSS of a process that renders all of these, Facet / sharp:");
  const dir = await Deno.makeTempDir();
  try {
    const files = sources.map((_, i) => `${dir}/${i}`);
    sources.forEach(({ bytes }, i) => Deno.writeFileSync(files[i], bytes));
    for (const lanes of [1, 2]) {
      const [ours, theirs] = [
        await measurePeakMb("facet", lanes, files),
        await measurePeakMb("sharp", lanes, files),
      ].map((mb) => mb === null ? "unknown" : mb.toFixed(0));
      console.log(`  ${lanes} at a time  ${ours} / ${theirs} MB`);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

sharp.concurrency(1);
sharp.cache(false);
const sources = (await loadBenchSources()).filter(({ name }) => name.includes(only));
const outcomes: Outcome[] = [];
console.log(
  "source, size, format, Facet / sharp (medians), ratio, bytes ratio, PSNR Facet / sharp",
);
for (const source of sources) {
  for (const size of SIZES) {
    const reference = await makeReference(source, size);
    for (const format of FORMATS) {
      const outcome = await measure({ source, width: size[0], height: size[1], format }, reference);
      outcomes.push(outcome);
      printOutcome(outcome);
    }
  }
}
printSummary(outcomes);
console.log("\nTwo at a time, 640x480 webp, Facet / sharp:");
for (const source of sources.filter(({ kind }) => kind === "photo")) {
  await measureThroughput(source);
}
await printPeaks(sources);
