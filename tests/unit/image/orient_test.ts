import assert from "node:assert/strict";
import sharp from "sharp";
import type { Orientation } from "../../../src/core/image_facts.ts";
import { orientImage } from "../../../src/image/orient.ts";

Deno.test("orientImage() turns pixels as libvips does, for all eight orientations", async () => {
  const size = { width: 6, height: 4 };
  const pixels = Uint8Array.from({ length: 6 * 4 * 4 }, (_, i) => i % 4 === 3 ? 255 : i * 5 % 251);
  const png = await sharp(pixels, { raw: { ...size, channels: 4 } }).png().toBuffer();
  for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8] as Orientation[]) {
    const tagged = await sharp(png).withMetadata({ orientation }).png().toBuffer();
    const { data, info } = await sharp(tagged).autoOrient().ensureAlpha().raw()
      .toBuffer({ resolveWithObject: true });
    const upright = orientImage({ ...size, pixels: pixels.slice(), opaque: true }, orientation);
    assert.deepEqual([upright.width, upright.height], [info.width, info.height]);
    assert.deepEqual([...upright.pixels], [...data], `orientation ${orientation}`);
  }
});
