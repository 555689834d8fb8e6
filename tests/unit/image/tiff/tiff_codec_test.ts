import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import sharp, { type Sharp } from "sharp";
import { TIFF_DECODER } from "../../../../src/image/tiff/tiff_codec.ts";
import { hasCode } from "../../../../src/errors.ts";
import { decodeRaster } from "../../../support/decode_raster.ts";
import { bytesOf, tiffOf } from "../../../support/image_builder.ts";

const WIDTH = 83;
const HEIGHT = 61;

/** A picture with flat parts, slopes and noise. */
function source(channels: 1 | 3 | 4): Sharp {
  const raw = Buffer.alloc(WIDTH * HEIGHT * channels);
  for (let i = 0, seed = 1; i < raw.length; i++) {
    seed = seed * 16807 % 2147483647;
    const pixel = Math.floor(i / channels);
    const x = pixel % WIDTH;
    raw[i] = x < 20 ? 200 : x < 50 ? pixel * (i % channels + 1) >> 4 : seed;
  }
  return sharp(raw, { raw: { width: WIDTH, height: HEIGHT, channels } });
}

async function sameAsLibtiff(tiff: Buffer, tolerance = 0): Promise<void> {
  const ours = await decodeRaster(TIFF_DECODER, new Uint8Array(tiff));
  const theirs = await sharp(tiff).toColourspace("srgb").ensureAlpha().raw({ depth: "uchar" })
    .toBuffer();
  let worst = 0;
  for (let i = 0; i < theirs.length; i++) {
    // Colour counts as far as it shows: strips hold it multiplied by alpha.
    const shown = i % 4 === 3 ? 255 : theirs[i | 3];
    worst = Math.max(worst, Math.abs(theirs[i] - ours.pixels[i]) * shown / 255);
  }
  assert(worst <= tolerance, `differs by ${worst}`);
}

for (const compression of ["none", "lzw", "deflate", "packbits"] as const) {
  Deno.test(`TIFF_DECODER reads ${compression} strips and tiles, with and without predictor`, async () => {
    for (const channels of [1, 3, 4] as const) {
      for (const predictor of ["none", "horizontal"] as const) {
        for (const tile of [false, true]) {
          const options = { compression, predictor, tile, tileWidth: 32, tileHeight: 16 };
          await sameAsLibtiff(
            await source(channels).tiff(options).toBuffer(),
            channels === 4 ? 1 : 0,
          );
        }
      }
    }
  });
}

Deno.test("TIFF_DECODER reads 16-bit samples by their high byte", async () => {
  const tiff = await source(3).toColourspace("rgb16").tiff({
    compression: "lzw",
    predictor: "horizontal",
  })
    .toBuffer();
  await sameAsLibtiff(tiff);
});

Deno.test("TIFF_DECODER reads Group 4 fax and other bilevel files", async () => {
  for (const compression of ["ccittfax4", "none", "packbits"] as const) {
    const tiff = await source(1).threshold(120).toColourspace("b-w").tiff({
      compression,
      bitdepth: 1,
    }).toBuffer();
    await sameAsLibtiff(tiff);
  }
});

Deno.test("TIFF_DECODER reads JPEG strips and tiles in YCbCr and RGB", async () => {
  for (const tile of [false, true]) {
    const smooth = sharp({ create: { width: 70, height: 50, channels: 3, background: "#3080d0" } });
    const options = {
      compression: "jpeg",
      quality: 95,
      tile,
      tileWidth: 32,
      tileHeight: 16,
    } as const;
    await sameAsLibtiff(await smooth.tiff(options).toBuffer(), 3);
  }
});

Deno.test("TIFF_DECODER subtracts CMYK inks", async () => {
  const pixel = (c: number, m: number, y: number, k: number) =>
    tiffOf([[256, 3, 1, 1], [257, 3, 1, 1], [258, 3, 1, 8], [262, 3, 1, 5], [273, 4, 1, 98], [
      277,
      3,
      1,
      4,
    ], [279, 4, 1, 4]], {
      rest: bytesOf(c, m, y, k),
    });
  const colorOf = async (
    ...inks: [number, number, number, number]
  ) => [...(await decodeRaster(TIFF_DECODER, pixel(...inks))).pixels];
  assert.deepEqual(await colorOf(0, 0, 0, 0), [255, 255, 255, 255]);
  assert.deepEqual(await colorOf(255, 0, 0, 0), [0, 255, 255, 255]);
  assert.deepEqual(await colorOf(0, 0, 0, 255), [0, 0, 0, 255]);
  assert.deepEqual(await colorOf(0, 128, 0, 128), [127, 63, 127, 255]);
});

Deno.test("TIFF_DECODER names cut-off strips and unknown compressions", async () => {
  const layout = [[256, 3, 1, 9], [257, 3, 1, 9], [258, 3, 1, 8], [262, 3, 1, 1], [273, 4, 1, 8], [
    279,
    4,
    1,
    4,
  ]] as const;
  await assert.rejects(
    decodeRaster(TIFF_DECODER, tiffOf(layout)),
    (e) => hasCode(e, "image_truncated"),
  );
  const jpeg2000 = tiffOf([...layout, [259, 3, 1, 34712]]);
  await assert.rejects(
    decodeRaster(TIFF_DECODER, jpeg2000),
    (e) => hasCode(e, "unsupported_image"),
  );
});

Deno.test("TIFF_DECODER survives every cut and many changed bytes with a named error", async () => {
  const tiff = new Uint8Array(await source(3).tiff({ compression: "lzw" }).toBuffer());
  for (let i = 0; i < 400; i++) {
    const broken = i % 2 === 0 ? tiff.slice(0, tiff.length * i / 400) : tiff.slice();
    if (i % 2 === 1) broken[(i * 7919) % broken.length] ^= 1 << (i % 8);
    await decodeRaster(TIFF_DECODER, broken).catch((error) => {
      assert.equal(
        error.name === "AppError" || error.message === "not an image",
        true,
        String(error),
      );
    });
  }
});
