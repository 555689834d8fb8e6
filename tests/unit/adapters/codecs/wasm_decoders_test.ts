import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import sharp from "sharp";
import {
  createAvifDecoder,
  createAvifEncoder,
} from "../../../../src/adapters/codecs/avif_codec.ts";
import { capWasmMemory } from "../../../../src/adapters/codecs/cap_wasm_memory.ts";
import { createHeicDecoder } from "../../../../src/adapters/codecs/heic_decoder.ts";
import { createWebpDecoder } from "../../../../src/adapters/codecs/webp_decoder.ts";
import { hasCode } from "../../../../src/errors.ts";
import { comparePictures } from "../../../support/corpus_grade.ts";
import { decodeRaster } from "../../../support/decode_raster.ts";
import { sharedDataDir } from "../../../support/shared_data.ts";

const WIDTH = 97;
const HEIGHT = 61;

/** Smooth colour, with a slope of alpha when there are four channels. */
function picture(channels: 3 | 4) {
  const raw = Buffer.alloc(WIDTH * HEIGHT * channels);
  for (let i = 0; i < WIDTH * HEIGHT; i++) {
    const x = i % WIDTH;
    const y = Math.floor(i / WIDTH);
    raw.set([x * 2, y * 4, 255 - x, 55 + x * 2].slice(0, channels), i * channels);
  }
  return sharp(raw, { raw: { width: WIDTH, height: HEIGHT, channels } });
}

async function reference(bytes: Uint8Array) {
  const { data, info } = await sharp(bytes).ensureAlpha().raw().toBuffer({
    resolveWithObject: true,
  });
  return { width: info.width, height: info.height, pixels: data };
}

const encode = async (encoder: { toBuffer(): Promise<Buffer> }) =>
  new Uint8Array(await encoder.toBuffer());

Deno.test("createWebpDecoder() reads lossy, lossless and transparent files as libwebp does", async () => {
  for (const channels of [3, 4] as const) {
    for (const lossless of [false, true]) {
      const bytes = await encode(picture(channels).webp({ lossless }));
      const ours = await decodeRaster(createWebpDecoder(), bytes);
      assert(comparePictures(ours, await reference(bytes)) > 45);
    }
  }
});

Deno.test("createWebpDecoder() composes the first frame of an animation", async () => {
  const frames = Buffer.concat([
    await picture(4).raw().toBuffer(),
    Buffer.alloc(WIDTH * HEIGHT * 4, 255),
  ]);
  const bytes = await encode(
    sharp(frames, { raw: { width: WIDTH, height: HEIGHT * 2, channels: 4, pageHeight: HEIGHT } })
      .webp({ lossless: true }),
  );
  const ours = await decodeRaster(createWebpDecoder(), bytes);
  assert(comparePictures(ours, await reference(bytes)) > 45);
});

Deno.test("createAvifDecoder() reads what libheif wrote, alpha and depth included", async () => {
  for (const channels of [3, 4] as const) {
    for (const bitdepth of [8, 10] as const) {
      const bytes = await encode(
        picture(channels)
          .toFormat("avif", { quality: 90, chromaSubsampling: "4:4:4", bitdepth }),
      );
      const ours = await decodeRaster(createAvifDecoder(), bytes);
      assert(comparePictures(ours, await reference(bytes)) > 40);
    }
  }
});

Deno.test("createAvifDecoder() reads files without channel depths, as old writers made them", async () => {
  for (const channels of [3, 4] as const) {
    const bytes = await encode(picture(channels).avif());
    const old = Buffer.from(bytes);
    let changed = 0;
    for (let at = old.indexOf("pixi"); at >= 0; at = old.indexOf("pixi", at + 1)) {
      old.write("xixi", at, "latin1");
      changed++;
    }
    assert(changed > 0);
    const ours = await decodeRaster(createAvifDecoder(), new Uint8Array(old));
    assert(comparePictures(ours, await reference(bytes)) > 40);
  }
});

Deno.test("createAvifEncoder() writes what libheif reads, with alpha", async () => {
  for (const channels of [3, 4] as const) {
    const { data } = await picture(channels).ensureAlpha().raw().toBuffer({
      resolveWithObject: true,
    });
    const image = {
      width: WIDTH,
      height: HEIGHT,
      pixels: new Uint8Array(data),
      opaque: channels === 3,
    };
    const bytes = await createAvifEncoder().encode(image, { quality: 80 });
    assert(comparePictures(image, await reference(bytes)) > 32);
  }
});

Deno.test("the WebAssembly decoders name broken files and go on with the next", async () => {
  const decoders = { webp: createWebpDecoder(), avif: createAvifDecoder() };
  for (const format of ["webp", "avif"] as const) {
    const whole = await encode(picture(3).toFormat(format));
    const broken = whole.slice();
    broken.fill(0x5a, Math.floor(whole.length * 0.7));
    const cut = whole.slice(0, Math.floor(whole.length * 0.7));
    for (const bytes of [broken, cut]) {
      await decodeRaster(decoders[format], bytes).catch((error) =>
        assert(
          hasCode(error, "image_undecodable") || hasCode(error, "image_truncated"),
          String(error),
        )
      );
    }
    await decodeRaster(decoders[format], whole);
  }
});

const dir = sharedDataDir();

Deno.test({
  name: "createHeicDecoder() reads a camera's tiled HEIC, and names a broken one",
  ignore: dir === null,
  fn: async () => {
    const path = `${dir}/drewnoakes+metadata-extractor-images/heic/exif-at-eof.heic`;
    const bytes = new Uint8Array(readFileSync(path));
    const { width, height, pixels } = await decodeRaster(createHeicDecoder(), bytes);
    assert.deepEqual([width, height], [3024, 4032]);
    const shades = new Set<number>();
    for (let p = 0; p < pixels.length; p += 4 * 9_973) shades.add(pixels[p]);
    assert(shades.size > 30, "the picture is flat");
    const broken = bytes.slice();
    broken.fill(0, 20_000);
    await assert.rejects(
      decodeRaster(createHeicDecoder(), broken),
      (error) => hasCode(error, "image_undecodable"),
    );
  },
});

/** (module (memory 1)), and the same with a maximum of 65,536 pages. */
const OPEN_MEMORY = [0, 97, 115, 109, 1, 0, 0, 0, 5, 3, 1, 0, 1];
const WIDE_MEMORY = [0, 97, 115, 109, 1, 0, 0, 0, 5, 6, 1, 1, 1, 0x80, 0x80, 4];
/** An export of memory 0 as "m". */
const EXPORT = [7, 5, 1, 1, 109, 2, 0];

Deno.test("capWasmMemory() makes growth past the ceiling fail", () => {
  for (const memory of [OPEN_MEMORY, WIDE_MEMORY]) {
    const capped = capWasmMemory(Uint8Array.from([...memory, ...EXPORT]), 3 * 65_536);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(capped));
    const exported = instance.exports.m as WebAssembly.Memory;
    exported.grow(2);
    assert.throws(() => exported.grow(1), RangeError);
  }
});

Deno.test("capWasmMemory() keeps a lower maximum, and modules without memory", () => {
  const small = [0, 97, 115, 109, 1, 0, 0, 0, 5, 4, 1, 1, 1, 2];
  const capped = capWasmMemory(Uint8Array.from([...small, ...EXPORT]), 1 << 30);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(capped));
  assert.throws(() => (instance.exports.m as WebAssembly.Memory).grow(2), RangeError);
  const empty = Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0]);
  assert.deepEqual(capWasmMemory(empty, 65_536), empty);
});
