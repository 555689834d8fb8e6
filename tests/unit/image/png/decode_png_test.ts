import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { type AppError, hasCode } from "../../../../src/errors.ts";
import { decodePng } from "../../../../src/image/png/decode_png.ts";
import { encodePng } from "../../../../src/image/png/encode_png.ts";
import { readPngLayout } from "../../../../src/image/png/png_layout.ts";
import { LANE1, LANE2, type RasterInfo } from "../../../../src/image/strip.ts";
import { sharedDataDir } from "../../../support/shared_data.ts";

interface Decoded {
  readonly info: RasterInfo;
  /** R, G, B, A as decoded: colour is premultiplied. */
  readonly pixels: Uint8Array;
}

async function decode(bytes: Uint8Array, rowLimit = Infinity): Promise<Decoded> {
  const size = readPngLayout(bytes);
  const pixels = new Uint8Array(size.width * size.height * 4);
  let info: RasterInfo | null = null;
  await decodePng(bytes, size, {
    begin: (given) => {
      info = given;
    },
    write({ y, rows, color, alpha }) {
      for (let i = 0; i < rows * size.width; i++) {
        const c0 = color[i] % LANE1;
        const gray = info?.space === "gray";
        const p = (y * size.width + i) * 4;
        pixels[p] = c0;
        pixels[p + 1] = gray ? c0 : Math.floor(color[i] / LANE1) % LANE1;
        pixels[p + 2] = gray ? c0 : Math.floor(color[i] / LANE2);
        pixels[p + 3] = alpha === null ? 255 : alpha[i];
      }
      return y + rows < rowLimit;
    },
  });
  assert.ok(info);
  return { info, pixels };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "decoded";
  } catch (error) {
    return (error as AppError).code ?? String(error);
  }
}

/** Reads a 32-bit BMP with bit fields, the form of the oracle's bitmaps, and premultiplies it. */
function readOracle(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  assert.equal(view.getUint16(28, true), 32);
  const offset = view.getUint32(10, true);
  const [width, height] = [view.getInt32(18, true), view.getInt32(22, true)];
  const pixels = new Uint8Array(width * Math.abs(height) * 4);
  for (let y = 0; y < Math.abs(height); y++) {
    for (let x = 0; x < width; x++) {
      const from = offset + ((height > 0 ? height - 1 - y : y) * width + x) * 4;
      const alpha = bytes[from + 3];
      const to = (y * width + x) * 4;
      for (let c = 0; c < 3; c++) pixels[to + c] = Math.round(bytes[from + 2 - c] * alpha / 255);
      pixels[to + 3] = alpha;
    }
  }
  return pixels;
}

Deno.test("decodePng() gives PngSuite's right pixels and refuses its corrupt files", async () => {
  const dir = sharedDataDir();
  if (dir === null) return;
  const suite = join(dir, "lunapaint+pngsuite");
  let right = 0;
  let refused = 0;
  for (const { name } of Deno.readDirSync(join(suite, "png"))) {
    if (!name.endsWith(".png")) continue;
    const bytes = Deno.readFileSync(join(suite, "png", name));
    const oracle = join(suite, "bmp", name.replace(".png", ".bmp"));
    if (!existsSync(oracle)) {
      const code = await codeOf((async () => await decode(bytes))());
      assert.match(code, /^image_(undecodable|truncated)$/, name);
      refused++;
      continue;
    }
    const { pixels } = await decode(bytes);
    const expected = readOracle(Deno.readFileSync(oracle));
    const worst = pixels.reduce((max, v, i) => Math.max(max, Math.abs(v - expected[i])), 0);
    // 16-bit samples: the oracle cuts the low byte off, we round, so both differ by one at most.
    assert.ok(worst <= 1, `${name} is off by ${worst}`);
    right++;
  }
  assert.deepEqual({ right, refused }, { right: 161, refused: 14 });
});

Deno.test("decodePng() agrees with libspng on every large PNG of the shared data", async () => {
  const dir = sharedDataDir();
  if (dir === null) return;
  const names = ["image-rs+image", "lovell+sharp", "libjxl+testdata"];
  let compared = 0;
  for (const path of names.flatMap((name) => findPngs(join(dir, name)))) {
    const bytes = Deno.readFileSync(path);
    if (bytes.length < 10_000 || bytes.length > 3_000_000) continue;
    const theirs = await sharp(bytes).ensureAlpha().raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true }).catch(() => null);
    const layout = readPngLayout(bytes);
    if (theirs === null || theirs.info.channels !== 4 || layout.depth === 16) continue;
    const { pixels } = await decode(bytes);
    let worst = 0;
    for (let p = 0; p < pixels.length; p += 4) {
      const alpha = theirs.data[p + 3];
      for (let c = 0; c < 3; c++) {
        const expected = theirs.data[p + c] * alpha / 255;
        worst = Math.max(worst, Math.abs(pixels[p + c] - expected));
      }
    }
    assert.ok(worst <= 1, `${path} is off by ${worst}`);
    compared++;
  }
  assert.ok(compared >= 3, `only ${compared} files compared`);
});

function findPngs(dir: string): string[] {
  return [...Deno.readDirSync(dir)].flatMap(({ name, isDirectory }) => {
    const path = join(dir, name);
    if (isDirectory) return findPngs(path);
    return name.endsWith(".png") ? [path] : [];
  });
}

Deno.test("decodePng() reads what encodePng() writes, opaque and with alpha", async () => {
  const [width, height] = [37, 23];
  const pixels = Uint8Array.from(
    { length: width * height * 4 },
    (_, i) => (i * 37 + (i >> 5)) & 255,
  );
  for (let p = 3; p < pixels.length; p += 4) pixels[p] = 255;
  const opaque = await decode(encodePng({ width, height, pixels, opaque: true }));
  assert.equal(opaque.info.alpha, false);
  assert.deepEqual(opaque.pixels, pixels);
  pixels[3] = 0;
  pixels.fill(0, 0, 3);
  const clear = await decode(encodePng({ width, height, pixels, opaque: false }));
  assert.equal(clear.info.alpha, true);
  assert.deepEqual(clear.pixels, pixels);
});

function makePng(size = 64): Uint8Array {
  const pixels = new Uint8Array(size * size * 4);
  for (let i = 0; i < pixels.length; i++) pixels[i] = i % 4 === 3 ? 255 : (i * 2654435761) >>> 24;
  return encodePng({ width: size, height: size, pixels, opaque: true });
}

Deno.test("decodePng() calls a cut-off file truncated, wherever it is cut", async () => {
  const whole = makePng();
  for (const share of [0.1, 0.3, 0.5, 0.9, 0.99]) {
    const cut = whole.slice(0, Math.floor(whole.length * share));
    assert.equal(await codeOf(decode(cut)), "image_truncated", `at ${share}`);
  }
});

Deno.test("decodePng() forgives a missing end marker", async () => {
  const whole = makePng();
  assert.deepEqual(await decode(whole.slice(0, -12)), await decode(whole));
});

Deno.test("decodePng() refuses a changed byte anywhere in critical chunks", async () => {
  const whole = makePng();
  for (const at of [17, 24, 29, 60, whole.length >> 1, whole.length - 14]) {
    const bad = whole.slice();
    bad[at] ^= 0x10;
    assert.equal(
      await codeOf((async () => await decode(bad))()),
      "image_undecodable",
      `byte ${at}`,
    );
  }
});

Deno.test("decodePng() fails closed when the size is not the probe's", async () => {
  const sink = { begin: () => {}, write: () => true };
  await assert.rejects(
    decodePng(makePng(), { width: 64, height: 63 }, sink),
    (error) => hasCode(error, "image_undecodable"),
  );
});

Deno.test("decodePng() stops at once when the sink has enough", async () => {
  const whole = makePng(512);
  const { pixels } = await decode(whole, 16);
  assert.ok(pixels.subarray(0, 16 * 512 * 4).some((value) => value !== 0));
  assert.ok(pixels.subarray(400 * 512 * 4).every((value) => value === 0));
});

Deno.test("decodePng() leaves a data stream that goes on for ever", async () => {
  const dir = sharedDataDir();
  if (dir === null) return;
  const path = join(dir, "generated", "bomb", "png-1x1-idat-inflates-256MiB.png");
  const before = Deno.memoryUsage().rss;
  const { pixels } = await decode(Deno.readFileSync(path));
  assert.equal(pixels.length, 4);
  assert.ok(Deno.memoryUsage().rss - before < 64 * 2 ** 20);
});
