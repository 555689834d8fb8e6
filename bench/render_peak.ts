// deno-lint-ignore-file no-console
/**
 * The most memory that rendering takes: one side in a process of its own, which renders every file
 * to every size and format, so many at a time, and prints the kernel's peak of its resident size
 * (`VmHWM`, everything included: runtime, code, workers). Run by `bench/render.ts`:
 *
 *     deno run -A bench/render_peak.ts facet|sharp 1|2 FILE…
 */
import { readFile } from "node:fs/promises";
import type sharpModule from "sharp";
import { createRenderPool } from "../src/adapters/workers/render_pool.ts";
import { CENTRE } from "../src/image/render_spec.ts";

/** Who renders. */
export type PeakSide = "facet" | "sharp";

/** What is rendered of every source, here and for the times. */
export const SIZES = [[320, 240], [640, 480], [1920, 1080]] as const;
export const FORMATS = ["webp", "jpg"] as const;
export const QUALITY = 80;

/** Measures one side: megabytes, or null where the kernel does not tell. */
export async function measurePeakMb(
  side: PeakSide,
  lanes: number,
  files: readonly string[],
): Promise<number | null> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", import.meta.url, side, String(lanes), ...files],
    stderr: "inherit",
  }).output();
  const peak = Number(new TextDecoder().decode(stdout));
  if (!success) throw new Error(`The memory of ${side} could not be measured`);
  return peak > 0 ? peak : null;
}

interface PeakJob {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly format: (typeof FORMATS)[number];
}

/** Renders as sharp does it: the same crop and quality, the profile kept. */
export async function renderSharp(
  sharp: typeof sharpModule,
  source: Uint8Array,
  { width, height, format }: Omit<PeakJob, "file">,
): Promise<Uint8Array> {
  const image = sharp(source).autoOrient().resize(width, height, { fit: "cover" })
    .keepIccProfile();
  const encoder = format === "webp"
    ? image.webp({ quality: QUALITY })
    : image.jpeg({ quality: QUALITY });
  return new Uint8Array(await encoder.toBuffer());
}

type Render = (source: Uint8Array<ArrayBuffer>, job: PeakJob) => Promise<unknown>;

async function createRender(side: string, lanes: number): Promise<[Render, () => void]> {
  if (side === "facet") {
    const pool = createRenderPool({ size: lanes });
    await pool.warm();
    const { signal } = new AbortController();
    return [
      (source, { width, height, format }) =>
        pool.render(source, {
          width,
          height,
          fit: "cover",
          focal: CENTRE,
          quality: QUALITY,
          format,
        }, { signal }),
      () => pool.close(),
    ];
  }
  // Not imported above: its library would count as Facet's.
  const { default: sharp } = await import("sharp");
  sharp.concurrency(1);
  sharp.cache(false);
  return [(source, job) => renderSharp(sharp, source, job), () => {}];
}

async function renderAll([side, lanes, ...files]: readonly string[]): Promise<void> {
  const jobs = files.flatMap((file) =>
    SIZES.flatMap(([width, height]) => FORMATS.map((format) => ({ file, width, height, format })))
  );
  const [render, close] = await createRender(side, Number(lanes));
  const lane = async () => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      await render(new Uint8Array(await readFile(job.file)), job);
    }
  };
  await Promise.all(Array.from({ length: Number(lanes) }, lane));
  const status = await readFile("/proc/self/status", "utf8").catch(() => "");
  close();
  console.log(Number(status.match(/VmHWM:\s+(\d+) kB/)?.[1] ?? 0) / 1000);
}

if (import.meta.main) await renderAll(Deno.args);
