/**
 * Decoding and encoding JPEG: ours against sharp (libjpeg-turbo) in the same process.
 *
 *   deno run -A bench/jpeg.ts [decode|encode] [runs]
 *
 * Contenders take turns; figures are medians, in milliseconds. `ratio` is ours divided by sharp's:
 * below 1 is faster. Sharp shrinks on load to the same size and hands out raw RGB; ours hands out
 * packed YCbCr rows, which is what the resampler takes.
 */
import sharp from "sharp";
import { decodeJpeg, parseJpegHeader, scaledJpegSize } from "../src/image/jpeg/decode_jpeg.ts";

const shared = Deno.env.get("FACET_SHARED_DIR") ??
  new URL("../../shared", import.meta.url).pathname;

/** The photographs of 11 megapixels and more, and two small ones. */
const PHOTOS: Readonly<Record<string, string>> = {
  "12MP 4:2:2": "drewnoakes+metadata-extractor-images/jpg/Samsung SM-G935L (Galaxy S7 Edge).jpg",
  "33MP 4:2:0": "etemesi254+zune-image/test-images/jpeg/benchmarks/speed_bench_hv_subsampling.jpg",
  "33MP prog 4:4:4": "etemesi254+zune-image/test-images/jpeg/benchmarks/speed_bench_prog.jpg",
  "12MP 4:2:0": "image-rs+image/examples/scaledown/test.jpg",
  "12MP prog 4:2:0": "immich-app+test-assets/albums/text/book-beside-flowers.jpg",
  "24MP prog 4:2:0": "immich-app+test-assets/albums/text/craft-beer.jpg",
  "12MP prog b 4:2:0": "immich-app+test-assets/albums/text/japanese-shop.jpg",
};

const SCALES = [1, 2, 4, 8] as const;

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[times.length >> 1];
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

async function decodeWithSharp(bytes: Uint8Array, width: number): Promise<void> {
  await sharp(bytes).resize(width, null, { kernel: "nearest" }).raw().toBuffer();
}

async function benchDecode(runs: number): Promise<void> {
  console.log("photograph".padEnd(20), "scale   ours  sharp  ratio");
  const ratios: number[] = [];
  for (const [name, path] of Object.entries(PHOTOS)) {
    const bytes = withoutProfile(Deno.readFileSync(`${shared}/data/${path}`));
    const header = parseJpegHeader(bytes);
    for (const scale of SCALES) {
      const { width } = scaledJpegSize(header, scale);
      const ours: number[] = [];
      const theirs: number[] = [];
      for (let run = 0; run < runs + 2; run++) {
        let start = performance.now();
        decodeJpeg(bytes, { scale }, { begin() {}, write: () => true });
        if (run > 1) ours.push(performance.now() - start);
        start = performance.now();
        await decodeWithSharp(bytes, scale === 1 ? header.width : Math.floor(header.width / scale));
        if (run > 1) theirs.push(performance.now() - start);
      }
      const [a, b] = [median(ours), median(theirs)];
      ratios.push(a / b);
      console.log(
        name.padEnd(20),
        `1/${scale}`.padEnd(5),
        a.toFixed(1).padStart(6),
        b.toFixed(1).padStart(6),
        (a / b).toFixed(2).padStart(6),
        `(${width} wide)`,
      );
    }
  }
  const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
  console.log("geometric mean of the ratios", mean.toFixed(2));
}

const [what = "decode", runs = "7"] = Deno.args;
sharp.concurrency(1);
sharp.cache(false);
if (what === "decode") await benchDecode(Number(runs));
