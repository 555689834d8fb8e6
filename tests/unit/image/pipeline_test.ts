import assert from "node:assert/strict";
import { join } from "node:path";
import { Buffer } from "node:buffer";
import sharp, { type Sharp } from "sharp";
import { memorySource } from "../../../src/core/image_header/byte_source.ts";
import { probeImage } from "../../../src/core/image_header/probe_image.ts";
import { hasCode } from "../../../src/errors.ts";
import { placeSource } from "../../../src/image/geometry.ts";
import { JPEG_DECODER } from "../../../src/image/jpeg_codec.ts";
import {
  type ImageDecoder,
  type PipelineParts,
  type RenderedImage,
  renderImage,
} from "../../../src/image/pipeline.ts";
import { PNG_DECODER, PNG_ENCODER } from "../../../src/image/png/png_codec.ts";
import { CENTRE, type RenderSpec } from "../../../src/image/render_spec.ts";
import { psnr, ssim } from "../../support/pixel_fidelity.ts";
import { readManifest, sharedDataDir } from "../../support/shared_data.ts";

const GENEROUS_BYTES = 2 ** 30;

const PARTS: PipelineParts = {
  findDecoder: ({ format }) => format === "png" ? PNG_DECODER : JPEG_DECODER,
  // Without loss, so that the pixels can be looked at; `jpg` still gets no alpha.
  findEncoder: (format) => ({ ...PNG_ENCODER, format }),
};

function buildSpec(spec: Partial<RenderSpec>): RenderSpec {
  return {
    width: 64,
    height: 48,
    fit: "cover",
    focal: CENTRE,
    quality: 80,
    format: "png",
    ...spec,
  };
}

async function render(
  source: Uint8Array,
  spec: Partial<RenderSpec>,
  parts = PARTS,
): Promise<RenderedImage> {
  const facts = await probeImage(memorySource(source));
  assert.ok(facts);
  const request = { source, facts, spec: buildSpec(spec), memoryBudgetBytes: GENEROUS_BYTES };
  return await renderImage(request, parts);
}

async function readRaw(
  png: Uint8Array,
): Promise<{ data: Uint8Array; width: number; height: number }> {
  const { data, info } = await sharp(png).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

Deno.test("renderImage() is as good as sharp on photographs: 40 dB and 0.99 SSIM", async () => {
  const dir = sharedDataDir();
  if (dir === null) return;
  const photos = readManifest(dir)
    .filter(({ category }) => category === "photo-12mp" || category === "photo-small");
  assert.ok(photos.length >= 10);
  for (const { path } of photos) {
    const source = Deno.readFileSync(join(dir, path));
    const facts = await probeImage(memorySource(source));
    assert.ok(facts);
    const upright = { width: facts.orientedWidth, height: facts.orientedHeight };
    // With large JPEGs sharp shrinks while loading, which moves its own result by 36–50 dB; which of
    // the two we resemble is a matter of the scale that both chose.
    const { data, info } = await sharp(source).autoOrient().toColourspace("srgb").removeAlpha()
      .raw().toBuffer({ resolveWithObject: true });
    const raw = { width: info.width, height: info.height, channels: info.channels };
    for (const [width, height] of [[320, 240], [240, 320], [640, 480], [1920, 1080]]) {
      if (width > upright.width || height > upright.height) continue;
      const image = await render(source, { width, height });
      assert.deepEqual([image.width, image.height], [width, height]);
      const ours = await sharp(image.bytes).removeAlpha().raw().toBuffer();
      const resized = [sharp(data, { raw }), sharp(source).autoOrient()]
        .map((image) => image.resize(width, height, { fit: "cover" }).removeAlpha().raw());
      const theirs = await Promise.all(resized.map((image) => image.toBuffer()));
      const fidelity = Math.max(...theirs.map((each) => psnr(ours, each, 3)));
      const size = { width, height, channels: 3 } as const;
      const likeness = Math.max(...theirs.map((each) => ssim(ours, each, size)));
      const label = `${path} at ${width}x${height}: ${fidelity.toFixed(1)} dB, ${likeness}`;
      assert.ok(fidelity >= 40 && likeness >= 0.99, label);
    }
  }
});

Deno.test("renderImage() enlarges without a shift: like bicubic about the same centre", async () => {
  const dir = sharedDataDir();
  if (dir === null) return;
  const path = join(dir, "immich-app+test-assets/albums/nature/tanners_ridge.jpg");
  const source = Deno.readFileSync(path);
  const { data, width, height } = await readRaw(
    (await render(source, { width: 1600, height: 1068 })).bytes,
  );
  // Halving what was doubled gives the original back only if nothing moved.
  const half = await sharp(data, { raw: { width, height, channels: 4 } })
    .resize(800, 534, { kernel: "lanczos3" }).removeAlpha().raw().toBuffer();
  const original = await sharp(source).removeAlpha().raw().toBuffer();
  assert.ok(psnr(half, original, 3) > 40);
});

Deno.test("renderImage() turns all eight orientations upright, at the exact size", async () => {
  const upright = sharp(Buffer.from(
    `<svg width="120" height="80"><rect width="120" height="80" fill="#fff"/>
     <rect width="60" height="40" fill="#f00"/><rect x="60" width="60" height="40" fill="#0f0"/>
     <rect y="40" width="60" height="40" fill="#00f"/></svg>`,
  ));
  const png = await upright.png().toBuffer();
  const corners = async (file: Uint8Array) => {
    const { data, width, height } = await readRaw(file);
    const at = (
      x: number,
      y: number,
    ) => [...data.subarray((y * width + x) * 4, (y * width + x) * 4 + 3)];
    return [at(4, 4), at(width - 5, 4), at(4, height - 5), at(width - 5, height - 5)]
      .map((pixel) => pixel.map((value) => value > 128 ? 1 : 0).join(""));
  };
  // For each orientation, what a camera would have stored to be seen upright (EXIF 2.32, 4.6.5).
  // sharp mirrors before it rotates, whatever the order of the calls.
  const stored: Record<number, (image: Sharp) => Sharp> = {
    1: (image) => image,
    2: (image) => image.flop(),
    3: (image) => image.rotate(180),
    4: (image) => image.flip(),
    5: (image) => image.rotate(270).flop(),
    6: (image) => image.rotate(270),
    7: (image) => image.rotate(90).flop(),
    8: (image) => image.rotate(90),
  };
  for (let orientation = 1; orientation <= 8; orientation++) {
    const turned = await stored[orientation](sharp(png)).toBuffer();
    for (const format of ["png", "jpeg"] as const) {
      const source = await sharp(turned).withMetadata({ orientation })[format]().toBuffer();
      const image = await render(source, { width: 60, height: 40 });
      assert.deepEqual([image.width, image.height], [60, 40]);
      assert.deepEqual(
        await corners(image.bytes),
        ["100", "010", "001", "111"],
        `${format} ${orientation}`,
      );
    }
  }
});

Deno.test("renderImage() makes the exact size from every shape", async () => {
  for (const [w, h] of [[1, 1], [1, 900], [900, 1], [33, 47], [500, 500]]) {
    const create = { width: w, height: h, channels: 3 as const, background: "#48c" };
    const source = await sharp({ create }).png().toBuffer();
    for (const [width, height] of [[10, 10], [100, 10], [31, 77], [640, 480]]) {
      const image = await render(source, { width, height });
      const raw = await readRaw(image.bytes);
      assert.deepEqual([raw.width, raw.height], [width, height]);
      assert.deepEqual([...raw.data.subarray(0, 4)], [0x44, 0x88, 0xcc, 255]);
    }
  }
});

Deno.test("renderImage() lays transparency on white for jpg, keeps it for png", async () => {
  const create = {
    width: 40,
    height: 40,
    channels: 4 as const,
    background: { r: 0, g: 0, b: 0, alpha: 0.5 },
  };
  const source = await sharp({ create }).png().toBuffer();
  const flat = await readRaw((await render(source, { format: "jpg" })).bytes);
  assert.ok(Math.abs(flat.data[0] - 127) <= 1 && flat.data[3] === 255);
  const kept = await readRaw((await render(source, { format: "png" })).bytes);
  assert.ok(kept.data[0] <= 1 && Math.abs(kept.data[3] - 128) <= 1);
});

Deno.test("renderImage() pads for contain: transparent, or white in jpg", async () => {
  const create = { width: 40, height: 10, channels: 3 as const, background: "#f00" };
  const source = await sharp({ create }).png().toBuffer();
  const clear = await readRaw(
    (await render(source, { width: 40, height: 40, fit: "contain" })).bytes,
  );
  assert.deepEqual([clear.width, clear.height, clear.data[3]], [40, 40, 0]);
  const middle = (20 * 40 + 20) * 4;
  assert.deepEqual([...clear.data.subarray(middle, middle + 4)], [255, 0, 0, 255]);
  const spec = { width: 40, height: 40, fit: "contain", format: "jpg" } as const;
  const white = await readRaw((await render(source, spec)).bytes);
  assert.deepEqual([...white.data.subarray(0, 4)], [255, 255, 255, 255]);
});

Deno.test("renderImage() shrinks 50 megapixels of PNG by averages without changing its mean", async () => {
  const create = { width: 9000, height: 5500, channels: 3 as const, background: "#123456" };
  const source = await sharp({ create }).png().toBuffer();
  const { data } = await readRaw((await render(source, { width: 320, height: 240 })).bytes);
  for (let p = 0; p < data.length; p += 4) {
    assert.deepEqual([...data.subarray(p, p + 3)], [0x12, 0x34, 0x56]);
  }
});

function decoderThat(decode: ImageDecoder["decode"]): PipelineParts {
  const decoder: ImageDecoder = { formats: ["png"], traits: { scales: [1], crops: false }, decode };
  return { ...PARTS, findDecoder: () => decoder };
}

async function plainPng(): Promise<Uint8Array> {
  const create = { width: 100, height: 80, channels: 3 as const, background: "#fff" };
  return await sharp({ create }).png().toBuffer();
}

Deno.test("renderImage() fails closed when a decoder comes out with another size", async () => {
  const parts = decoderThat((_bytes, _facts, { sink }) => {
    sink.begin({ width: 101, height: 80, space: "gray", alpha: false });
  });
  await assert.rejects(
    render(await plainPng(), {}, parts),
    (error) => hasCode(error, "image_undecodable"),
  );
});

Deno.test("renderImage() refuses rows that are missing, out of order or too many", async () => {
  const feed = (spans: readonly (readonly [number, number])[]) =>
    decoderThat((_bytes, _facts, { sink }) => {
      sink.begin({ width: 100, height: 80, space: "gray", alpha: false });
      for (const [y, rows] of spans) {
        sink.write({ y, rows, color: new Float64Array(100 * rows), alpha: null });
      }
    });
  const png = await plainPng();
  await assert.rejects(render(png, {}, feed([[0, 40]])), (e) => hasCode(e, "image_truncated"));
  await assert.rejects(
    render(png, {}, feed([[0, 8], [16, 8]])),
    (e) => hasCode(e, "image_undecodable"),
  );
  await assert.rejects(render(png, {}, feed([[0, 81]])), (e) => hasCode(e, "image_undecodable"));
});

Deno.test("renderImage() blames the file for whatever breaks in a decoder", async () => {
  const parts = decoderThat(() => {
    throw new RangeError("offset is out of bounds");
  });
  await assert.rejects(render(await plainPng(), {}, parts), (e) => hasCode(e, "image_undecodable"));
});

Deno.test("renderImage() refuses a plan over the memory budget before decoding", async () => {
  const source = await plainPng();
  const facts = await probeImage(memorySource(source));
  assert.ok(facts);
  let decoded = false;
  const parts = decoderThat(() => {
    decoded = true;
  });
  await assert.rejects(
    renderImage({ source, facts, spec: buildSpec({}), memoryBudgetBytes: 1000 }, parts),
    (error) => hasCode(error, "image_budget_exceeded"),
  );
  assert.equal(decoded, false);
});

Deno.test("renderImage() stops between steps when it is aborted", async () => {
  const source = await plainPng();
  const facts = await probeImage(memorySource(source));
  assert.ok(facts);
  const controller = new AbortController();
  const parts = decoderThat(() => controller.abort(new Error("gone")));
  const { signal } = controller;
  const request = { source, facts, spec: buildSpec({}), memoryBudgetBytes: GENEROUS_BYTES, signal };
  await assert.rejects(renderImage(request, parts), /gone|ends before/);
});

Deno.test("placeSource() and renderImage() agree on the focal point", async () => {
  const left = sharp({ create: { width: 300, height: 100, channels: 3, background: "#000" } });
  const source = await left.composite([{
    input: { create: { width: 100, height: 100, channels: 3, background: "#fff" } },
    left: 200,
    top: 0,
  }]).png().toBuffer();
  const spec = { width: 50, height: 50, focal: { x: 1, y: 0.5 } };
  const { crop } = placeSource({ width: 300, height: 100 }, buildSpec(spec));
  assert.equal(crop.x, 200);
  const { data } = await readRaw((await render(source, spec)).bytes);
  assert.ok(data.subarray(0, 3).every((value) => value > 220));
  assert.deepEqual([...data.subarray(40 * 4, 40 * 4 + 3)], [255, 255, 255]);
});
