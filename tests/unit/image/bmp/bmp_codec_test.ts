import assert from "node:assert/strict";
import { BMP_DECODER } from "../../../../src/image/bmp/bmp_codec.ts";
import { hasCode } from "../../../../src/errors.ts";
import { decodeRaster } from "../../../support/decode_raster.ts";
import { bytesOf, le16, le32 } from "../../../support/image_builder.ts";

/** A BMP with a 40-byte header. `extra` is what follows it: masks, palette. */
function bmp(options: {
  width: number;
  height: number;
  bits: number;
  compression?: number;
  extra?: Uint8Array;
  data: number[];
}): Uint8Array {
  const { width, height, bits, compression = 0, extra = bytesOf(), data } = options;
  const dataAt = 54 + extra.length;
  return bytesOf(
    "BM",
    le32(dataAt + data.length),
    le32(0),
    le32(dataAt),
    le32(40),
    le32(width),
    le32(height),
    le16(1),
    le16(bits),
    le32(compression),
    new Uint8Array(20),
    extra,
    data,
  );
}

const palette = bytesOf([0, 0, 0, 0], [0, 0, 255, 0], [0, 255, 0, 0], [255, 0, 0, 0]);

/** First channel that is set, as a letter. */
async function letters(bytes: Uint8Array): Promise<string> {
  const { pixels } = await decodeRaster(BMP_DECODER, bytes);
  let text = "";
  for (let p = 0; p < pixels.length; p += 4) {
    text += pixels[p] ? "r" : pixels[p + 1] ? "g" : pixels[p + 2] ? "b" : "k";
  }
  return text;
}

Deno.test("BMP_DECODER reads rows from the bottom, or from the top when the height is negative", async () => {
  const data = [0, 0, 255, 0, /* row above */ 0, 255, 0, 0];
  assert.equal(await letters(bmp({ width: 1, height: 2, bits: 24, data })), "gr");
  assert.equal(await letters(bmp({ width: 1, height: -2, bits: 24, data })), "rg");
});

Deno.test("BMP_DECODER reads palettes of 1, 4 and 8 bits", async () => {
  const four = { width: 4, height: 1, bits: 4, extra: bytesOf(palette, new Uint8Array(48)) };
  assert.equal(await letters(bmp({ ...four, data: [0x12, 0x30, 0, 0] })), "rgbk");
  const one = { width: 4, height: 1, bits: 1, extra: palette.subarray(0, 8) };
  assert.equal(await letters(bmp({ ...one, data: [0b01010000, 0, 0, 0] })), "krkr");
  const eight = { width: 4, height: 1, bits: 8, extra: bytesOf(palette, new Uint8Array(1008)) };
  assert.equal(await letters(bmp({ ...eight, data: [3, 2, 1, 0] })), "bgrk");
});

Deno.test("BMP_DECODER scales 16-bit fields and honours masks", async () => {
  const five = bmp({ width: 2, height: 1, bits: 16, data: [0x1f, 0x7c, 0xe0, 0x03] });
  assert.deepEqual([...(await decodeRaster(BMP_DECODER, five)).pixels], [
    255,
    0,
    255,
    255,
    0,
    255,
    0,
    255,
  ]);
  const masks = bytesOf(le32(0xf800), le32(0x07e0), le32(0x001f));
  const six = bmp({
    width: 2,
    height: 1,
    bits: 16,
    compression: 3,
    extra: masks,
    data: [0xe0, 0x07, 0, 0x80],
  });
  assert.deepEqual([...(await decodeRaster(BMP_DECODER, six)).pixels], [
    0,
    255,
    0,
    255,
    132,
    0,
    0,
    255,
  ]);
});

Deno.test("BMP_DECODER follows RLE8 runs, deltas and ends", async () => {
  const extra = bytesOf(palette, new Uint8Array(1008));
  const data = [3, 1, 0, 0, /* row 1 */ 0, 2, 1, 0, 0, 3, 2, 3, 2, 0, 0, 1];
  const bytes = bmp({ width: 4, height: 2, bits: 8, compression: 1, extra, data });
  assert.equal(await letters(bytes), "kgbgrrrk");
});

Deno.test("BMP_DECODER follows RLE4 runs of two indices", async () => {
  const extra = bytesOf(palette, new Uint8Array(48));
  const bytes = bmp({ width: 4, height: 1, bits: 4, compression: 2, extra, data: [4, 0x12, 0, 1] });
  assert.equal(await letters(bytes), "rgrg");
});

Deno.test("BMP_DECODER names files that are cut off or hold a JPEG", async () => {
  const short = bmp({ width: 4, height: 4, bits: 24, data: [1, 2, 3] });
  await assert.rejects(decodeRaster(BMP_DECODER, short), (e) => hasCode(e, "image_truncated"));
  const jpeg = bmp({ width: 4, height: 4, bits: 24, compression: 4, data: [0xff, 0xd8] });
  await assert.rejects(decodeRaster(BMP_DECODER, jpeg), (e) => hasCode(e, "unsupported_image"));
});
