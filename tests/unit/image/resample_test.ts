import assert from "node:assert/strict";
import { createBoxShrink } from "../../../src/image/box_shrink.ts";
import { createResampler } from "../../../src/image/resample.ts";
import type { RgbaImage } from "../../../src/image/rgba_image.ts";
import { writeRgbaStrips } from "../../../src/image/rgba_source.ts";
import { LANE1, LANE2, type LaneSpace } from "../../../src/image/strip.ts";
import { lanczosReference, psnr } from "../../support/pixel_fidelity.ts";

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** Smooth waves with some detail, so that filters have something to get wrong. */
function drawWaves(width: number, height: number): Picture {
  const pixels = new Uint8Array(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const p = (y * width + x) * 4;
      pixels[p] = 128 + 90 * Math.sin(x / 5 + y / 17);
      pixels[p + 1] = 128 + 90 * Math.cos(y / 4 - x / 23);
      pixels[p + 2] = (x * 3 + y * 2) & 255;
      pixels[p + 3] = 255;
    }
  }
  return { width, height, pixels };
}

function resize(
  source: Picture,
  target: { width: number; height: number },
  crop = { x: 0, y: 0, width: source.width, height: source.height },
): RgbaImage {
  const resampler = createResampler({ crop, target, filter: "lanczos3" });
  writeRgbaStrips(source, resampler);
  const image = resampler.result();
  assert.ok(image);
  return image;
}

Deno.test("createResampler() agrees with a float64 Lanczos3, down, up and cropped", () => {
  const source = drawWaves(203, 151);
  const cases = [
    // Every number of taps that has a loop of its own, across and down: 6, 8, 10, 12, and more.
    ...[200, 160, 125, 100, 80, 41].map((width) => ({
      target: { width, height: Math.round(width * 0.75) },
      crop: { x: 0, y: 0, width: 203, height: 151 },
    })),
    { target: { width: 97, height: 141 }, crop: { x: 20.5, y: 3.25, width: 97, height: 141 } },
    { target: { width: 300, height: 240 }, crop: { x: 10, y: 10, width: 120, height: 96 } },
    { target: { width: 31, height: 200 }, crop: { x: 50, y: 0, width: 20, height: 129 } },
  ];
  for (const { target, crop } of cases) {
    const ours = resize(source, target, crop);
    const reference = lanczosReference(
      { ...source, channels: 4, data: source.pixels },
      crop,
      target,
    );
    const fidelity = psnr(ours.pixels, reference, 4);
    assert.ok(fidelity > 44, `${target.width}x${target.height}: ${fidelity.toFixed(1)} dB`);
  }
});

Deno.test("createResampler() leaves a picture alone at its own size", () => {
  const source = drawWaves(64, 48);
  assert.deepEqual(resize(source, { width: 64, height: 48 }).pixels, source.pixels);
});

Deno.test("createResampler() cuts a part out as it is when its size is the target", () => {
  const source = drawWaves(60, 50);
  const crop = { x: 7, y: 11, width: 31, height: 23 };
  const { pixels } = resize(source, crop, crop);
  const wanted = Array.from(
    { length: crop.height },
    (_, row) => source.pixels.subarray(((crop.y + row) * 60 + 7) * 4).subarray(0, crop.width * 4),
  );
  assert.deepEqual(Array.from(pixels), wanted.flatMap((row) => Array.from(row)));
  const whole = resize(source, { width: 31, height: 23 }, { x: 29, y: 27, width: 31, height: 23 });
  assert.deepEqual(whole.pixels.subarray(-4), source.pixels.subarray(-4));
});

Deno.test("createResampler() keeps a flat colour exact at every ratio", () => {
  for (const size of [1, 2, 3, 5, 40, 333]) {
    const pixels = new Uint8Array(size * size * 4);
    for (let p = 0; p < pixels.length; p += 4) pixels.set([7, 130, 251, 255], p);
    const image = resize({ width: size, height: size, pixels }, { width: 19, height: 23 });
    for (let p = 0; p < image.pixels.length; p += 4) {
      assert.deepEqual([...image.pixels.subarray(p, p + 4)], [7, 130, 251, 255]);
    }
  }
});

Deno.test("createResampler() does not shift: a mirrored source gives the mirrored picture", () => {
  const source = drawWaves(120, 90);
  const mirrored = { ...source, pixels: mirror(source) };
  for (const target of [{ width: 50, height: 37 }, { width: 200, height: 150 }]) {
    const a = resize(source, target);
    const b = resize(mirrored, target);
    assert.ok(psnr(mirror(a), b.pixels, 4) > 48);
  }
});

function mirror({ width, height, pixels }: Picture): Uint8Array {
  const out = new Uint8Array(pixels.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + width - 1 - x) * 4;
      out.set(pixels.subarray(from, from + 4), (y * width + x) * 4);
    }
  }
  return out;
}

Deno.test("createResampler() gives the same picture however rows are cut into strips", () => {
  const { width, height } = { width: 40, height: 57 };
  const color = Float64Array.from(
    { length: width * height },
    (_, i) => (i * 7 & 255) + (i * 3 & 255) * LANE1 + (i & 255) * LANE2,
  );
  const run = (stripRows: number) => {
    const crop = { x: 0, y: 0, width, height };
    const resampler = createResampler({ crop, target: { width: 17, height: 24 }, filter: "cubic" });
    resampler.begin({ width, height, space: "rgb", alpha: false });
    for (let y = 0; y < height; y += stripRows) {
      const rows = Math.min(stripRows, height - y);
      const strip = color.slice(y * width, (y + rows) * width);
      resampler.write({ y, rows, color: strip, alpha: null });
    }
    return resampler.result()?.pixels;
  };
  const whole = run(height);
  assert.ok(whole);
  for (const stripRows of [1, 2, 8, 16]) assert.deepEqual(run(stripRows), whole);
});

Deno.test("createResampler() says when it needs no more rows, and has no picture before", () => {
  const crop = { x: 0, y: 0, width: 10, height: 10 };
  const resampler = createResampler({ crop, target: { width: 10, height: 10 }, filter: "cubic" });
  resampler.begin({ width: 10, height: 100, space: "gray", alpha: false });
  const strip = { rows: 5, color: new Float64Array(50), alpha: null };
  assert.equal(resampler.write({ ...strip, y: 0 }), true);
  assert.equal(resampler.result(), null);
  assert.equal(resampler.write({ ...strip, y: 5 }), true);
  assert.equal(resampler.write({ ...strip, y: 10 }), false);
  assert.ok(resampler.result());
});

Deno.test("createResampler() turns YCbCr and gray lanes into RGB", () => {
  const render = (space: LaneSpace, packed: number) => {
    const crop = { x: 0, y: 0, width: 4, height: 4 };
    const resampler = createResampler({ crop, target: { width: 2, height: 2 }, filter: "cubic" });
    resampler.begin({ width: 4, height: 4, space, alpha: false });
    resampler.write({ y: 0, rows: 4, color: new Float64Array(16).fill(packed), alpha: null });
    return [...(resampler.result()?.pixels.subarray(0, 4) ?? [])];
  };
  assert.deepEqual(render("gray", 77), [77, 77, 77, 255]);
  // T.871: R = Y + 1.402 (Cr - 128), G = Y - 0.344136 (Cb - 128) - 0.714136 (Cr - 128), …
  assert.deepEqual(render("ycc", 76 + 85 * LANE1 + 255 * LANE2), [254, 0, 0, 255]);
  assert.deepEqual(render("ycc", 150 + 44 * LANE1 + 21 * LANE2), [0, 255, 1, 255]);
});

Deno.test("createResampler() has no halo: hidden colour does not bleed out of clear pixels", () => {
  const [width, height] = [80, 60];
  const pixels = new Uint8Array(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    const shown = i % width < 40;
    pixels.set(shown ? [10, 200, 30, 255] : [255, 0, 255, 0], i * 4);
  }
  const image = resize({ width, height, pixels }, { width: 31, height: 23 });
  assert.equal(image.opaque, false);
  let soft = 0;
  for (let p = 0; p < image.pixels.length; p += 4) {
    const [r, g, b, a] = image.pixels.subarray(p, p + 4);
    if (a > 0 && a < 255) soft++;
    // Colour is kept in 8 bits times alpha, so it is only as exact as alpha is large.
    const slack = 2 + 300 / Math.max(1, a);
    if (a > 8) {
      assert.ok(Math.abs(r - 10) < slack && Math.abs(g - 200) < slack && Math.abs(b - 30) < slack);
    }
  }
  assert.ok(soft > 0);
});

Deno.test("createResampler() reports a picture whose alpha is all 255 as opaque", () => {
  const crop = { x: 0, y: 0, width: 6, height: 6 };
  const resampler = createResampler({ crop, target: { width: 3, height: 3 }, filter: "cubic" });
  resampler.begin({ width: 6, height: 6, space: "gray", alpha: true });
  const strip = { color: new Float64Array(36).fill(9), alpha: new Uint8Array(36).fill(255) };
  resampler.write({ y: 0, rows: 6, ...strip });
  assert.equal(resampler.result()?.opaque, true);
});

Deno.test("createBoxShrink() averages whole squares and what is left at the edges", () => {
  const [width, height] = [7, 5];
  const seen: { color: number[]; alpha: number[] }[] = [];
  const sink = createBoxShrink(3, {
    begin: (info) => assert.deepEqual([info.width, info.height], [3, 2]),
    write: ({ color, alpha }) => {
      seen.push({ color: [...color], alpha: [...alpha ?? []] });
      return true;
    },
  });
  sink.begin({ width, height, space: "rgb", alpha: true });
  const value = (i: number) => (i % width) * 10;
  const color = Float64Array.from(
    { length: 35 },
    (_, i) => value(i) + (255 - value(i)) * LANE1 + 255 * LANE2,
  );
  sink.write({ y: 0, rows: 4, color, alpha: new Uint8Array(28).fill(200) });
  sink.write({ y: 4, rows: 1, color: color.slice(28), alpha: new Uint8Array(7).fill(100) });
  const packed = [10, 40, 60].map((v) => v + (255 - v) * LANE1 + 255 * LANE2);
  assert.deepEqual(seen, [
    { color: packed, alpha: [200, 200, 200] },
    { color: packed, alpha: [150, 150, 150] },
  ]);
});

Deno.test("createBoxShrink() does not overflow a lane at its largest factor", () => {
  const white = 255 + 255 * LANE1 + 255 * LANE2;
  let out = 0;
  const sink = createBoxShrink(22, {
    begin: () => {},
    write: ({ color }) => {
      out = color[0];
      return true;
    },
  });
  sink.begin({ width: 22, height: 22, space: "rgb", alpha: false });
  sink.write({ y: 0, rows: 22, color: new Float64Array(484).fill(white), alpha: null });
  assert.equal(out, white);
});
