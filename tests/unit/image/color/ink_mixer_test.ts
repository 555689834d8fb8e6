import assert from "node:assert/strict";
import sharp from "sharp";
import { JPEG_DECODER } from "../../../../src/image/jpeg_codec.ts";
import { createInkMixer } from "../../../../src/image/color/ink_mixer.ts";
import { labToSrgb } from "../../../../src/image/color/lab_to_srgb.ts";
import { TIFF_DECODER } from "../../../../src/image/tiff/tiff_codec.ts";
import { comparePictures } from "../../../support/corpus_grade.ts";
import { decodeRaster } from "../../../support/decode_raster.ts";
import { iccProfile } from "../../../support/image_builder.ts";

const SIZE = { width: 64, height: 48 } as const;

/** A picture in the inks of libvips's own press profile, which goes along. */
function inkPicture() {
  const raw = new Uint8Array(SIZE.width * SIZE.height * 3);
  for (let i = 0; i < SIZE.width * SIZE.height; i++) {
    raw.set([i % 64 * 4, Math.floor(i / 64) * 5, 255 - i % 64 * 2], i * 3);
  }
  return sharp(raw, { raw: { ...SIZE, channels: 3 } })
    .toColourspace("cmyk").withIccProfile("cmyk");
}

async function reference(bytes: Uint8Array) {
  return {
    ...SIZE,
    pixels: await sharp(bytes).toColourspace("srgb").ensureAlpha().raw().toBuffer(),
  };
}

Deno.test("createInkMixer() gives a CMYK JPEG the colours that littleCMS gives it", async () => {
  const jpeg = inkPicture().jpeg({ quality: 100, chromaSubsampling: "4:4:4" });
  const bytes = new Uint8Array(await jpeg.toBuffer());
  const psnr = comparePictures(await decodeRaster(JPEG_DECODER, bytes), await reference(bytes));
  assert(psnr > 34, `PSNR ${psnr}`);
});

Deno.test("createInkMixer() gives a CMYK TIFF the colours that littleCMS gives it", async () => {
  const bytes = new Uint8Array(await inkPicture().tiff({ compression: "lzw" }).toBuffer());
  const psnr = comparePictures(await decodeRaster(TIFF_DECODER, bytes), await reference(bytes));
  assert(psnr > 34, `PSNR ${psnr}`);
});

Deno.test("createInkMixer() gives null for profiles without a table of inks", () => {
  assert.equal(createInkMixer(iccProfile("RGB")), null);
  assert.equal(createInkMixer(iccProfile("No table", { space: "CMYK" })), null);
  assert.equal(createInkMixer(new Uint8Array(10)), null);
});

Deno.test("createInkMixer() refuses a profile that is cut at any place, or mixes by it", async () => {
  const bytes = await inkPicture().tiff().toBuffer();
  const { icc } = await sharp(bytes).metadata();
  assert(icc);
  for (let i = 0; i < 40; i++) {
    const cut = new Uint8Array(icc.subarray(0, icc.length * i / 40));
    if (cut.length > 132) new DataView(cut.buffer).setUint32(0, cut.length);
    createInkMixer(cut);
  }
});

Deno.test("labToSrgb() keeps neutral colours neutral and clips the rest", () => {
  const rgb = new Float32Array(3);
  for (const [lightness, expected] of [[0, 0], [53.39, 127.5], [100, 255]]) {
    labToSrgb({ lightness, a: 0, b: 0 }, rgb);
    for (const value of rgb) assert(Math.abs(value - expected) < 1, `${lightness}: ${rgb}`);
  }
  labToSrgb({ lightness: 60, a: 127, b: -127 }, rgb);
  assert(rgb.every((value) => value >= 0 && value <= 255));
});
