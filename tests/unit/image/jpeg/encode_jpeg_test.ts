import assert from "node:assert/strict";
import sharp from "sharp";
import { parseJpegHeader } from "../../../../src/image/jpeg/decode_jpeg.ts";
import { encodeJpeg } from "../../../../src/image/jpeg/encode_jpeg.ts";
import { JpegError } from "../../../../src/image/jpeg/jpeg_error.ts";
import type { JpegPixels } from "../../../../src/image/jpeg/sample_planes.ts";
import { createRandom, decodeRaster, maxDifference, psnr, toRgb } from "./raster.ts";

/** Shapes, gradients and some noise in RGBA. */
function paint(width: number, height: number, noise = 20): JpegPixels {
  const random = createRandom(11);
  const data = new Uint8Array(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const inside = (x - width / 3) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2;
    const grain = (random() - 0.5) * noise;
    data[4 * i] = Math.max(0, Math.min(255, (inside ? 220 : 60) + 30 * Math.sin(x / 11) + grain));
    data[4 * i + 1] = Math.max(0, Math.min(255, (x * 200) / width + 20 + grain));
    data[4 * i + 2] = Math.max(0, Math.min(255, inside ? 40 : (y * 200) / height + 30 + grain));
    // Must not matter.
    data[4 * i + 3] = Math.floor(random() * 256);
  }
  return { width, height, data, space: "rgb" };
}

function rgbOf({ data }: JpegPixels): Uint8Array {
  return data.filter((_, i) => (i & 3) !== 3);
}

async function decodeWithSharp(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await sharp(bytes, { failOn: "warning" }).raw().toBuffer());
}

Deno.test("encodeJpeg() writes files that libjpeg reads without a warning, at every size", async () => {
  for (const [width, height] of [[1, 1], [2, 3], [7, 40], [8, 8], [16, 16], [17, 33], [203, 99]]) {
    const pixels = paint(width, height);
    for (const quality of [1, 50, 80, 100]) {
      const bytes = encodeJpeg(pixels, { quality });
      const theirs = await decodeWithSharp(bytes);
      assert.equal(theirs.length, width * height * 3);
      const ours = decodeRaster(bytes, { scale: 1 });
      assert.ok(maxDifference(toRgb(ours), theirs) <= 1);
      const rgb = rgbOf(pixels);
      const libjpeg = await sharp(rgb, { raw: { width, height, channels: 3 } })
        .jpeg({ quality }).toBuffer();
      const gain = psnr(theirs, rgb) - psnr(await decodeWithSharp(libjpeg), rgb);
      assert.ok(gain > -0.5 || Number.isNaN(gain), `${width}x${height} at ${quality}: ${gain} dB`);
    }
  }
});

Deno.test("encodeJpeg() takes as many bytes as libjpeg for the same quality and likeness", async () => {
  const pixels = paint(640, 480);
  const { width, height } = pixels;
  const rgb = rgbOf(pixels);
  for (const quality of [30, 60, 80, 90, 95]) {
    const ours = encodeJpeg(pixels, { quality });
    const theirs = await sharp(rgb, { raw: { width, height, channels: 3 } })
      .jpeg({ quality }).toBuffer();
    const ratio = ours.length / theirs.length;
    assert.ok(ratio > 0.95 && ratio < 1.02, `quality ${quality}: ${ratio} of the bytes`);
    const gain = psnr(await decodeWithSharp(ours), rgb) - psnr(await decodeWithSharp(theirs), rgb);
    assert.ok(gain > -0.1, `quality ${quality}: ${gain} dB`);
  }
});

Deno.test("encodeJpeg() survives noise at the best quality, where most stuffing occurs", async () => {
  const random = createRandom(5);
  const data = Uint8Array.from({ length: 160 * 96 * 4 }, () => random() < 0.5 ? 0 : 255);
  for (const space of ["rgb", "ycc", "gray"] as const) {
    const bytes = encodeJpeg({ width: 160, height: 96, data, space }, { quality: 100 });
    assert.equal((await decodeWithSharp(bytes)).length, 160 * 96 * 3);
    assert.ok(bytes.some((byte, i) => i > 700 && byte === 0xff && bytes[i + 1] === 0));
  }
});

Deno.test("encodeJpeg() takes YCbCr as it is", () => {
  const [width, height] = [64, 48];
  const data = new Uint8Array(width * height * 4);
  for (let i = 0; i < width * height; i++) data.set([i % 64 + 60, 90, 170, 0], 4 * i);
  const bytes = encodeJpeg({ width, height, data, space: "ycc" }, { quality: 95 });
  const { data: decoded } = decodeRaster(bytes, { scale: 1 });
  for (let i = 0; i < width * height; i++) {
    for (let channel = 0; channel < 3; channel++) {
      assert.ok(Math.abs(decoded[3 * i + channel] - data[4 * i + channel]) <= 4);
    }
  }
});

Deno.test("encodeJpeg() writes one component for gray", () => {
  for (const [width, height] of [[9, 9], [40, 17], [100, 100]]) {
    const data = Uint8Array.from({ length: width * height * 4 }, (_, i) => (i >> 2) % width * 2);
    const bytes = encodeJpeg({ width, height, data, space: "gray" }, { quality: 90 });
    assert.equal(parseJpegHeader(bytes).color, "gray");
    const raster = decodeRaster(bytes, { scale: 1 });
    assert.ok(psnr(raster.data, data.filter((_, i) => (i & 3) === 0)) > 40);
  }
});

Deno.test("encodeJpeg() writes the tables, the frame and the scan, and nothing else", () => {
  const bytes = encodeJpeg(paint(50, 50), { quality: 80 });
  const markers: number[] = [];
  let at = 2;
  while (markers.at(-1) !== 0xda) {
    markers.push(bytes[at + 1]);
    at += 2 + ((bytes[at + 2] << 8) | bytes[at + 3]);
  }
  assert.deepEqual(markers, [0xe0, 0xdb, 0xdb, 0xc0, 0xc4, 0xc4, 0xc4, 0xc4, 0xda]);
  assert.deepEqual([...bytes.subarray(-2)], [0xff, 0xd9]);
});

Deno.test("encodeJpeg() refuses impossible sizes and data that is too short", () => {
  const data = new Uint8Array(64);
  const encode = (width: number, height: number) =>
    encodeJpeg({ width, height, data, space: "rgb" }, { quality: 80 });
  for (const side of [0, -1, 1.5, 65536, NaN]) assert.throws(() => encode(side, 1), JpegError);
  assert.throws(() => encode(4, 5), RangeError);
});
