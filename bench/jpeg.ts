// deno-lint-ignore-file no-console
/**
 * Decoding and encoding JPEG: ours against sharp (libjpeg-turbo) in the same process.
 *
 *   deno run -A bench/jpeg.ts [decode|encode] [runs] [wall|cpu]
 *
 * Contenders take turns; figures are the fastest of the runs, in milliseconds, because other work on
 * a machine only ever adds to them. On a busy one let `cpu` count processor time, not the clock's. Ratios are ours divided by theirs:
 * below 1 is faster. Sharp makes raw RGB of the same size its own way: it decodes at a scale twice
 * as large and reduces. `djpeg` (libjpeg-turbo, where it is installed) decodes at the same scale;
 * its time holds the start of a process. Ours hands out packed YCbCr rows, which is what the
 * resampler takes.
 */
import process from "node:process";
import { Image } from "imagescript";
import sharp from "sharp";
import { encodeJpeg } from "../src/image/jpeg/encode_jpeg.ts";
import { decodeJpeg, parseJpegHeader, scaledJpegSize } from "../src/image/jpeg/decode_jpeg.ts";

const shared = Deno.env.get("FACET_SHARED_DIR") ??
  new URL("../../shared", import.meta.url).pathname;

/** The photographs of 11 megapixels and more. */
const PHOTOS: Readonly<Record<string, string>> = {
  "12MP 4:2:2": "drewnoakes+metadata-extractor-images/jpg/Samsung SM-G935L (Galaxy S7 Edge).jpg",
  "33MP 4:2:0": "etemesi254+zune-image/test-images/jpeg/benchmarks/speed_bench_hv_subsampling.jpg",
  "33MP prog 4:4:4": "etemesi254+zune-image/test-images/jpeg/benchmarks/speed_bench_prog.jpg",
  "12MP 4:2:0": "image-rs+image/examples/scaledown/test.jpg",
  "12MP prog 4:2:0": "immich-app+test-assets/albums/text/book-beside-flowers.jpg",
  "24MP prog 4:2:0": "immich-app+test-assets/albums/text/craft-beer.jpg",
  "12MP prog b 4:2:0": "immich-app+test-assets/albums/text/japanese-shop.jpg",
};

const SCALES = [1, 0.5, 0.25, 0.125] as const;

const [what = "decode", runs = "7", clock = "wall"] = Deno.args;

/** Milliseconds of the clock, or of processor time of all threads of this process. */
function now(): number {
  if (clock === "wall") return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function fastest(times: number[]): number {
  return times.length > 0 ? Math.min(...times) : NaN;
}

/** Without the profile, or sharp would also convert colours. Nothing but entropy data may differ. */
function withoutProfile(bytes: Uint8Array): Uint8Array {
  const kept: Uint8Array[] = [bytes.subarray(0, 2)];
  let at = 2;
  while (bytes[at + 1] !== 0xda) {
    const end = at + 2 + ((bytes[at + 2] << 8) | bytes[at + 3]);
    if (bytes[at + 1] !== 0xe2) kept.push(bytes.subarray(at, end));
    at = end;
  }
  kept.push(bytes.subarray(at));
  const out = new Uint8Array(kept.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of kept) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/** Runs libjpeg-turbo's own program; false when it is not installed. */
async function decodeWithDjpeg(path: string, scale: number): Promise<boolean> {
  try {
    const args = ["-scale", `${8 * scale}/8`, "-outfile", "/dev/null", path];
    return (await new Deno.Command("djpeg", { args, stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

async function decodeWithSharp(bytes: Uint8Array, width: number): Promise<void> {
  await sharp(bytes).resize(width, null, { kernel: "nearest" }).raw().toBuffer();
}

async function benchDecode(runs: number): Promise<void> {
  console.log("photograph".padEnd(20), "scale   ours  sharp  ratio  djpeg  ratio");
  const ratios: number[] = [];
  const djpegRatios: number[] = [];
  const file = await Deno.makeTempFile({ suffix: ".jpg" });
  for (const [name, path] of Object.entries(PHOTOS)) {
    const bytes = withoutProfile(Deno.readFileSync(`${shared}/data/${path}`));
    Deno.writeFileSync(file, bytes);
    const header = parseJpegHeader(bytes);
    for (const scale of SCALES) {
      const { width } = scaledJpegSize(header, scale);
      const ours: number[] = [];
      const theirs: number[] = [];
      const djpeg: number[] = [];
      for (let run = 0; run < runs + 2; run++) {
        let start = now();
        decodeJpeg(bytes, { scale }, { begin() {}, write: () => true });
        if (run > 1) ours.push(now() - start);
        start = now();
        await decodeWithSharp(bytes, Math.floor(header.width * scale));
        if (run > 1) theirs.push(now() - start);
        start = now();
        if (clock === "wall" && await decodeWithDjpeg(file, scale) && run > 1) {
          djpeg.push(now() - start);
        }
      }
      const [a, b, c] = [fastest(ours), fastest(theirs), fastest(djpeg)];
      ratios.push(a / b);
      djpegRatios.push(a / c);
      console.log(
        name.padEnd(20),
        `1/${1 / scale}`.padEnd(5),
        a.toFixed(1).padStart(6),
        b.toFixed(1).padStart(6),
        (a / b).toFixed(2).padStart(6),
        formatNumber(c, 1).padStart(6),
        formatNumber(a / c, 2).padStart(6),
        `(${width} wide)`,
      );
    }
  }
  await Deno.remove(file);
  console.log("geometric mean, to sharp", geometricMean(ratios).toFixed(2));
  console.log("geometric mean, to djpeg", formatNumber(geometricMean(djpegRatios), 2));
}

/** A dash where there is nothing to compare with. */
function formatNumber(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "-";
}

function geometricMean(ratios: number[]): number {
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}

async function benchEncode(runs: number): Promise<void> {
  const photo = `${shared}/data/${PHOTOS["12MP 4:2:0"]}`;
  console.log(
    "size        ours  sharp  ratio  imagescript  ratio  bytes (to sharp)  PSNR ours, sharp",
  );
  for (const [width, height] of [[320, 240], [640, 480], [1920, 1080]]) {
    const size = { width, height };
    const rgb = await sharp(photo).resize(size).raw().toBuffer();
    const rgba = await sharp(photo).resize(size).ensureAlpha().raw().toBuffer();
    const data = new Uint8Array(rgba);
    const image = new Image(width, height);
    image.bitmap.set(data);
    const withSharp = () =>
      sharp(rgb, { raw: { ...size, channels: 3 } }).jpeg({ quality: 80 }).toBuffer();
    const withOurs = () => encodeJpeg({ ...size, data, space: "rgb" }, { quality: 80 });
    const times: number[][] = [[], [], []];
    for (let run = 0; run < runs + 3; run++) {
      const contenders = [withOurs, withSharp, () => image.encodeJPEG(80)];
      for (const [i, encode] of contenders.entries()) {
        const start = now();
        await encode();
        if (run > 2) times[i].push(now() - start);
      }
    }
    const [a, b, c] = times.map(fastest);
    const [ours, theirs] = [withOurs(), await withSharp()];
    const noise = [await psnrOf(ours, rgb), await psnrOf(theirs, rgb)];
    console.log(
      `${width}x${height}`.padEnd(10),
      ...[a, b].map((ms) => ms.toFixed(1).padStart(6)),
      (a / b).toFixed(2).padStart(6),
      c.toFixed(1).padStart(12),
      (a / c).toFixed(2).padStart(6),
      `${ours.length} (${(ours.length / theirs.length).toFixed(3)})`.padStart(16),
      noise.map((decibels) => decibels.toFixed(2)).join(", ").padStart(18),
    );
  }
}

async function psnrOf(jpeg: Uint8Array, rgb: Uint8Array): Promise<number> {
  const decoded = await sharp(jpeg).raw().toBuffer();
  const squares = decoded.reduce((sum, value, i) => sum + (value - rgb[i]) ** 2, 0);
  return 10 * Math.log10((255 * 255 * rgb.length) / squares);
}

sharp.concurrency(1);
sharp.cache(false);
if (what === "decode") await benchDecode(Number(runs));
else await benchEncode(Number(runs));
