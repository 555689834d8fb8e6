import assert from "node:assert/strict";
import sharp from "sharp";
import { decodeRaster, maxDifference, psnr, refusalOf, sharedData, toRgb } from "./raster.ts";

const MANIFEST = "manifest.tsv";

/** Paths of the JPEG files of the shared data, with their categories. */
function corpus(root: string): { path: string; category: string }[] {
  const rows = Deno.readTextFileSync(`${root}/${MANIFEST}`).trimEnd().split("\n").slice(1);
  return rows
    .map((row) => row.split("\t"))
    .map(([path, category]) => ({ path: `${root}/${path}`, category }))
    .filter(({ path }) => startsLikeJpeg(path));
}

function startsLikeJpeg(path: string): boolean {
  try {
    using file = Deno.openSync(path);
    const head = new Uint8Array(3);
    return file.readSync(head) === 3 && head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff;
  } catch {
    return false;
  }
}

const manifest = sharedData(MANIFEST);
const root = manifest?.slice(0, -MANIFEST.length - 1) ?? null;
// deno-lint-ignore no-console
if (!root) console.log("skipped: the shared test data is not there");

Deno.test({
  name: "decodeJpeg() decodes the shared corpus like libjpeg or refuses by name",
  ignore: !root,
  async fn() {
    const answers: Record<string, number> = {};
    const wrong: string[] = [];
    for (const { path } of corpus(root!)) {
      const bytes = Deno.readFileSync(path);
      const options = { limits: { maxPixels: 15_000_000 } };
      const answer = refusalOf(bytes, options);
      answers[answer] = (answers[answer] ?? 0) + 1;
      if (answer !== "decoded") continue;
      const ours = decodeRaster(bytes, { scale: 1 });
      // CMYK goes through a profile in sharp, and is held against other truths.
      const image = sharp(bytes, { failOn: "error" });
      const { space, channels, hasProfile, isProgressive } = await image.metadata()
        .catch(() => ({ space: "", channels: 0, hasProfile: false, isProgressive: false }));
      if (space === "cmyk" || hasProfile || channels === 0) continue;
      const raw = await image.raw().toBuffer({ resolveWithObject: true }).catch(() => null);
      if (!raw || raw.info.width !== ours.width) continue;
      const theirs = new Uint8Array(raw.data);
      const rgb = toRgb(ours);
      const same = raw.info.channels === ours.channels
        ? theirs
        : theirs.filter((_, i) => i % raw.info.channels === 0);
      const difference = maxDifference(rgb, same);
      // libjpeg smooths over what a progressive file leaves out; the standard does not ask for it.
      if (difference > 1 && !(isProgressive && psnr(rgb, same) > 20)) {
        wrong.push(`${path}: off by ${difference}`);
      }
    }
    // deno-lint-ignore no-console
    console.log(answers);
    assert.deepEqual(wrong, []);
    assert.ok(answers.decoded > 150);
  },
});

Deno.test({
  name: "decodeJpeg() matches the PNG truths of jpeg-decoder",
  ignore: !root,
  async fn() {
    const folder = `${root}/image-rs+jpeg-decoder/tests/reftest/images`;
    let compared = 0;
    for (const path of pngFiles(folder)) {
      const jpeg = path.replace(/\.png$/, ".jpg");
      if (!startsLikeJpeg(jpeg)) continue;
      const ours = decodeRaster(Deno.readFileSync(jpeg), { scale: 1 });
      const truth = await sharp(path).raw().toBuffer({ resolveWithObject: true });
      // The writer of the truths dropped channels where all three were the same.
      const expected = Uint8Array.from(ours.data, (_, i) => {
        const pixel = Math.floor(i / ours.channels);
        const channel = Math.min(i % ours.channels, truth.info.channels - 1);
        return truth.data[pixel * truth.info.channels + channel];
      });
      const decibels = psnr(toRgb(ours), expected);
      assert.ok(decibels > 40, `${jpeg}: ${decibels}`);
      compared++;
    }
    assert.ok(compared > 3, `${compared} pairs`);
  },
});

function pngFiles(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) return pngFiles(path);
    return entry.name.endsWith(".png") ? [path] : [];
  });
}

Deno.test({
  name: "decodeJpeg() scales a photograph like libvips, to 40 dB and more",
  ignore: !root,
  async fn() {
    const folder = "drewnoakes+metadata-extractor-images/jpg";
    const bytes = Deno.readFileSync(`${root}/${folder}/Samsung SM-G935L (Galaxy S7 Edge).jpg`);
    for (const scale of [0.5, 0.25, 0.125] as const) {
      const ours = decodeRaster(bytes, { scale });
      const theirs = await sharp(bytes).resize(ours.width, null, { kernel: "cubic" })
        .raw().toBuffer();
      const decibels = psnr(toRgb(ours), new Uint8Array(theirs));
      assert.ok(decibels >= 40, `${scale}: ${decibels}`);
    }
  },
});

/** The mean of every `scale`×`scale` pixels, which is what libjpeg's scaled decode gives. */
function boxMean(
  rgb: Uint8Array,
  size: { width: number; height: number },
  scale: number,
): Uint8Array {
  const [width, height] = [size.width / scale, size.height / scale];
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y, channel] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3];
    let sum = 0;
    for (let dy = 0; dy < scale; dy++) {
      for (let dx = 0; dx < scale; dx++) {
        sum += rgb[((y * scale + dy) * size.width + x * scale + dx) * 3 + channel];
      }
    }
    return Math.round(sum / scale ** 2);
  });
}

Deno.test({
  name: "decodeJpeg() scales photographs like a mean of pixels, or as close to Lanczos",
  ignore: !root,
  async fn() {
    for (const { path, category } of corpus(root!)) {
      if (category !== "photo-small") continue;
      const whole = decodeRaster(Deno.readFileSync(path), { scale: 0.125 });
      // A part whose size every scale divides, or the filters would not be aligned.
      const size = { width: whole.width * 8 - 16, height: whole.height * 8 - 16 };
      const image = await sharp(path).extract({ left: 0, top: 0, ...size })
        .jpeg({ quality: 95 }).toBuffer();
      const pixels = toRgb(decodeRaster(image, { scale: 1 }));
      for (const [by, scale] of [[2, 0.5], [4, 0.25]] as const) {
        const reference = await sharp(pixels, { raw: { ...size, channels: 3 } })
          .resize(size.width / by, size.height / by, { kernel: "lanczos3" })
          .raw().toBuffer();
        const ours = psnr(toRgb(decodeRaster(image, { scale })), reference);
        const mean = psnr(boxMean(pixels, size, by), reference);
        const exact = decodeRaster(image, { scale, exactMean: true });
        const likeness = psnr(toRgb(exact), boxMean(pixels, size, by));
        assert.ok(likeness > 40, `${path} at 1/${by}: ${likeness} dB from the mean`);
        assert.ok(ours > mean - 1, `${path} at 1/${by}: ${ours} and ${mean} dB`);
      }
    }
  },
});
