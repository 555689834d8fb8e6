// deno-lint-ignore-file no-console
/**
 * Throws mutated files at the JPEG decoder: small files of the shared corpus and built ones.
 *
 *   deno run -A bench/jpeg_fuzz.ts [runs] [first seed]
 *
 * Every file must be decoded or refused with a `JpegError`, deliver its rows in order, and end
 * within `MAX_MS`. Exits with 1 at the first that does not, and prints its seed.
 */
import {
  decodeJpeg,
  type JpegScale,
  parseJpegHeader,
  scaledJpegSize,
} from "../src/image/jpeg/decode_jpeg.ts";
import type { JpegHeader } from "../src/image/jpeg/frame_header.ts";
import { JpegError } from "../src/image/jpeg/jpeg_error.ts";
import { buildJpeg } from "../tests/unit/image/jpeg/jpeg_builder.ts";
import { mutateJpeg } from "../tests/unit/image/jpeg/jpeg_mutations.ts";

const shared = Deno.env.get("FACET_SHARED_DIR") ??
  new URL("../../shared", import.meta.url).pathname;

/** Seeds larger than this would make the runs slow without making them different. */
const MAX_SEED_BYTES = 30_000;
/** Far above what these limits allow on a busy machine: it is there to find hangs. */
const MAX_MS = 3000;
const LIMITS = { maxPixels: 2_000_000, maxScans: 100, maxBufferBytes: 32 << 20 };
const SCALES = [1, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125] as const;

function seedFiles(): Uint8Array[] {
  const size = { width: 83, height: 61 };
  const files = [
    buildJpeg({ ...size, sampling: [[3, 1], [1, 2], [2, 1]], restartInterval: 2 }).bytes,
    buildJpeg({ ...size, sampling: [[1, 1], [2, 2], [1, 2]], scans: [[0], [1, 2]] }).bytes,
    buildJpeg({ ...size, sampling: [[1, 1], [1, 1], [1, 1], [1, 1]], adobe: 2 }).bytes,
    buildJpeg({ ...size, sampling: [[1, 1]], dnl: true }).bytes,
  ];
  const rows = Deno.readTextFileSync(`${shared}/data/manifest.tsv`).trimEnd().split("\n").slice(1);
  for (const row of rows) {
    const [path, , size] = row.split("\t");
    if (Number(size) > MAX_SEED_BYTES || Number(size) < 100) continue;
    const bytes = Deno.readFileSync(`${shared}/data/${path}`);
    if (bytes[0] === 0xff && bytes[1] === 0xd8) files.push(bytes);
  }
  return files;
}

/** Some part of the scaled picture. */
function cropOf(header: JpegHeader, { scale, seed }: { scale: JpegScale; seed: number }) {
  const { width, height } = scaledJpegSize(header, scale);
  const [x, y] = [(seed * 31) % width, (seed * 17) % height];
  return { x, y, width: 1 + ((seed * 7) % (width - x)), height: 1 + ((seed * 3) % (height - y)) };
}

/** Decodes one mutation; returns "decoded" or the reason of the refusal. Throws when it is wrong. */
function runOnce(bytes: Uint8Array, seed: number): string {
  let rows = 0;
  let height = 0;
  try {
    const scale = SCALES[(seed >> 2) % SCALES.length];
    const region = (seed & 3) === 0 ? cropOf(parseJpegHeader(bytes), { scale, seed }) : undefined;
    const exactMean = (seed & 16) === 0;
    const tolerance = seed % 3;
    decodeJpeg(bytes, {
      scale,
      exactMean,
      tolerance,
      limits: LIMITS,
      ...(region ? { region } : {}),
    }, {
      begin: (info) => {
        height = info.height;
      },
      write: (strip) => {
        if (strip.y !== rows || strip.rows < 1) throw new Error("rows are out of order");
        rows += strip.rows;
        return true;
      },
    });
  } catch (error) {
    if (error instanceof JpegError) return error.reason;
    throw error;
  }
  if (rows !== height) throw new Error("rows are missing");
  return "decoded";
}

const runs = Number(Deno.args[0] ?? 1_000_000);
const firstSeed = Number(Deno.args[1] ?? 0);
const files = seedFiles();
const answers: Record<string, number> = {};
let slowest = { ms: 0, seed: 0 };
for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
  const file = files[seed % files.length];
  const bytes = mutateJpeg(file, { seed, other: files[(seed * 7 + 3) % files.length] });
  const start = performance.now();
  try {
    const answer = runOnce(bytes, seed);
    answers[answer] = (answers[answer] ?? 0) + 1;
  } catch (error) {
    console.error(`seed ${seed}`, error);
    Deno.exit(1);
  }
  const ms = performance.now() - start;
  if (ms > slowest.ms) slowest = { ms, seed };
  if (ms > MAX_MS) {
    console.error(`seed ${seed} took ${ms} ms`);
    Deno.exit(1);
  }
}
const rss = Math.round(Deno.memoryUsage().rss / 2 ** 20);
console.log(`${runs} runs over ${files.length} files`, answers, "slowest", slowest, `${rss} MB`);
