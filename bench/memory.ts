// deno-lint-ignore-file no-console
/**
 * How much memory the render pool takes: 32 clients over sources of 12 to 50 megapixels, then a
 * thousand renders in a row, with the resident size after each part and its peak.
 *
 *     deno run -A bench/memory.ts            # everything, some minutes
 *     deno run -A bench/memory.ts --quick    # a tenth
 *
 * Turned-away clients wait and come again, as `Retry-After` tells them to. On Linux the peak is the
 * kernel's own (`VmHWM`), and where a control group can be made the kernel kills what exceeds
 * 512 MB.
 */
import { readFileSync } from "node:fs";
import { createRenderPool } from "../src/adapters/workers/render_pool.ts";
import { hasCode } from "../src/errors.ts";
import { CENTRE, type RenderSpec } from "../src/image/render_spec.ts";
import { openMemoryCgroup } from "./memory_cgroup.ts";

const CLIENTS = 32;
const LIMIT_BYTES = 512_000_000;
const quick = Deno.args.includes("--quick");
const sizes = [[320, 240], [640, 480], [1024, 768], [1920, 1080]] as const;
const formats = ["webp", "jpg", "webp", "png"] as const;

const prepareIn = Deno.args.find((each) => each.startsWith("--prepare="))?.slice(10);
if (prepareIn !== undefined) {
  await prepareSources(prepareIn);
  Deno.exit(0);
}

const dir = Deno.args.find((each) => each.startsWith("--measure="))?.slice(10);
if (dir === undefined) Deno.exit(await measureWithinLimit());
const files = [...Deno.readDirSync(dir)].map(({ name }) => `${dir}/${name}`).toSorted();
console.log(`${files.length} sources, resident ${megabytes(Deno.memoryUsage().rss)} MB`);

/** Sources are read under a budget, as the service does it: most bytes at once over all clients. */
const READ_BUDGET_BYTES = 64 * 2 ** 20;
let readBytes = 0;

const pool = createRenderPool({ size: 2 });
const counts = { done: 0, refused: 0, failed: new Map<string, number>() };
const perClient = quick ? 2 : 20;
await Promise.all(Array.from({ length: CLIENTS }, (_, client) => runClient(client, perClient)));
report(`${CLIENTS} clients`);

const rounds = quick ? 10 : 100;
for (let part = 0; part < 10; part++) {
  for (let i = 0; i < rounds; i++) await renderOnce(part * rounds + i);
  report(`${(part + 1) * rounds} renders in a row`);
}
console.log("stats", JSON.stringify(pool.stats()));
pool.close();

/** Measures in a process of its own: neither sharp's memory nor that of this one is to be counted. */
async function measureWithinLimit(): Promise<number> {
  const folder = await Deno.makeTempDir();
  const start = (argument: string) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", import.meta.filename ?? "", argument, ...Deno.args],
    }).spawn();
  await start(`--prepare=${folder}`).status;
  const group = openMemoryCgroup(LIMIT_BYTES);
  const measure = () => start(`--measure=${folder}`);
  const { code } = await (group ? group.spawnInside(measure) : measure()).status;
  await Deno.remove(folder, { recursive: true });
  if (group) {
    console.log(
      `control group of ${megabytes(LIMIT_BYTES)} MB: at most ${megabytes(group.peakBytes())} MB ` +
        `held, page cache included; ${group.kills()} processes killed`,
    );
    await group.close();
  }
  return code;
}

async function runClient(client: number, renders: number): Promise<void> {
  for (let i = 0; i < renders; i++) await renderOnce(client * 7 + i);
}

async function renderOnce(n: number): Promise<void> {
  const [width, height] = sizes[n % sizes.length];
  const format = formats[(n >> 2) % formats.length];
  const spec: RenderSpec = { width, height, fit: "cover", focal: CENTRE, quality: 80, format };
  for (;;) {
    const path = files[n % files.length];
    const { size } = await Deno.stat(path);
    while (readBytes > 0 && readBytes + size > READ_BUDGET_BYTES) await pause(20);
    readBytes += size;
    try {
      const source = await Deno.readFile(path);
      await pool.render(source, spec, { signal: AbortSignal.timeout(60_000) });
      counts.done++;
      return;
    } catch (error) {
      if (!hasCode(error, "render_queue_full")) {
        const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
        counts.failed.set(code, (counts.failed.get(code) ?? 0) + 1);
        return;
      }
      counts.refused++;
    } finally {
      readBytes -= size;
    }
    await pause(200);
  }
}

/** Photographs of 12 to 33 megapixels, and PNGs of 49 and (interlaced) 24 megapixels. */
async function prepareSources(into: string): Promise<void> {
  const { default: sharp } = await import("sharp");
  const { loadBenchSources } = await import("./sources.ts");
  const sources = await loadBenchSources();
  for (const [i, { bytes }] of sources.entries()) await Deno.writeFile(`${into}/${i}`, bytes);
  const photo = sharp(sources[0].bytes).removeAlpha();
  const large = photo.clone().resize(7000, 7000, { fit: "fill" }).blur(3);
  await large.png({ compressionLevel: 6 }).toFile(`${into}/png`);
  const laced = photo.clone().resize(6000, 4000, { fit: "fill" }).blur(3);
  await laced.png({ progressive: true }).toFile(`${into}/png-interlaced`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function report(label: string): void {
  const failed = [...counts.failed].map(([code, count]) => `${count} ${code}`).join(", ");
  console.log(
    `${label.padEnd(24)} ${counts.done} done, ${counts.refused} turned away` +
      `${failed === "" ? "" : `, failed: ${failed}`}; resident ` +
      `${megabytes(Deno.memoryUsage().rss)} MB, peak ${megabytes(readPeak())} MB`,
  );
}

function readPeak(): number {
  try {
    const found = readFileSync("/proc/self/status", "utf8").match(/VmHWM:\s+(\d+) kB/);
    return found === null ? NaN : Number(found[1]) * 1024;
  } catch {
    return NaN;
  }
}

function megabytes(count: number): string {
  return (count / 1e6).toFixed(0);
}
