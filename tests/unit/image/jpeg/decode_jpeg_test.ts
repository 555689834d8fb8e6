import assert from "node:assert/strict";
import sharp, { type JpegOptions } from "sharp";
import { decodeJpeg, parseJpegHeader } from "../../../../src/image/jpeg/decode_jpeg.ts";
import { buildJpeg, type BuildOptions, type Built } from "./jpeg_builder.ts";
import { createRandom, decodeRaster, maxDifference, psnr, type Raster, toRgb } from "./raster.ts";

const SCALES = [1, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125] as const;

/** Largest distance of decoded samples from the exact ones. */
function distance(raster: Raster, built: Built): number {
  let max = 0;
  built.planes.forEach((plane, channel) => {
    for (let i = 0; i < plane.length; i++) {
      max = Math.max(max, Math.abs(raster.data[i * raster.channels + channel] - plane[i]));
    }
  });
  return max;
}

function assertDecodesExactly(options: BuildOptions): void {
  const built = buildJpeg(options);
  const raster = decodeRaster(built.bytes, { scale: 1, smoothChroma: false });
  assert.equal(raster.width, options.width);
  assert.equal(raster.height, options.height);
  // Half a step of rounding, and what the integer transform is off by.
  const found = distance(raster, built);
  assert.ok(found <= 1.1, `samples are off by ${found}`);
}

const SAMPLINGS: Readonly<Record<string, BuildOptions["sampling"]>> = {
  "gray": [[1, 1]],
  "gray with meaningless factors": [[2, 2]],
  "4:4:4": [[1, 1], [1, 1], [1, 1]],
  "4:4:4 written with factors of 2": [[2, 2], [2, 2], [2, 2]],
  "4:2:2": [[2, 1], [1, 1], [1, 1]],
  "4:4:0": [[1, 2], [1, 1], [1, 1]],
  "4:2:0": [[2, 2], [1, 1], [1, 1]],
  "4:1:1": [[4, 1], [1, 1], [1, 1]],
  "4:1:0": [[4, 2], [1, 1], [1, 1]],
  "1x4": [[1, 4], [1, 1], [1, 1]],
  "3x1": [[3, 1], [1, 1], [1, 1]],
  "1x3": [[1, 3], [1, 1], [1, 1]],
  "different chroma": [[2, 2], [2, 1], [1, 2]],
  "chroma larger than luma": [[1, 1], [2, 2], [2, 1]],
  "ratios that are no integers": [[3, 2], [2, 1], [1, 1]],
  "3 to 2 both ways": [[3, 1], [2, 1], [2, 1]],
};

for (const [name, sampling] of Object.entries(SAMPLINGS)) {
  Deno.test(`decodeJpeg() gives the exact samples when sampling is ${name}`, () => {
    // 10 blocks an MCU is the most that one scan may interleave.
    const blocks = sampling.reduce((sum, [h, v]) => sum + h * v, 0);
    const scans = blocks > 10 ? sampling.map((_, index) => [index]) : undefined;
    for (const [width, height] of [[61, 35], [64, 64], [1, 1], [8, 100]]) {
      assertDecodesExactly({ width, height, sampling, ...(scans ? { scans } : {}) });
    }
  });
}

Deno.test("decodeJpeg() gives the exact samples when there are restart intervals", () => {
  for (const restartInterval of [1, 3, 7, 1000]) {
    const sampling = SAMPLINGS["4:2:0"];
    assertDecodesExactly({ width: 100, height: 70, sampling, restartInterval });
    assertDecodesExactly({
      width: 100,
      height: 70,
      sampling,
      restartInterval,
      scans: [[0], [1, 2]],
    });
  }
});

Deno.test("decodeJpeg() gives the exact samples when scans are not interleaved", () => {
  for (const scans of [[[0], [1], [2]], [[2], [0], [1]], [[0, 1], [2]], [[0], [1, 2]]]) {
    for (const sampling of Object.values(SAMPLINGS).filter((factors) => factors.length === 3)) {
      const most = Math.max(
        ...scans.map((scan) => scan.reduce((sum, i) => sum + sampling[i][0] * sampling[i][1], 0)),
      );
      if (most <= 10) assertDecodesExactly({ width: 53, height: 41, sampling, scans });
    }
  }
});

Deno.test("decodeJpeg() takes the height from a DNL segment", () => {
  for (const scans of [[[0, 1, 2]], [[0], [1], [2]]]) {
    assertDecodesExactly({ width: 40, height: 50, sampling: SAMPLINGS["4:2:0"], dnl: true, scans });
  }
});

Deno.test("decodeJpeg() uses the tables of annex K when a file has none", () => {
  assertDecodesExactly({
    width: 40,
    height: 50,
    sampling: SAMPLINGS["4:2:2"],
    withoutTables: true,
  });
});

Deno.test("decodeJpeg() takes components in order when all have one id", () => {
  assertDecodesExactly({ width: 40, height: 50, sampling: SAMPLINGS["4:4:4"], ids: [1, 1, 1] });
});

Deno.test("parseJpegHeader() tells colours by the JFIF, Adobe and id rules", () => {
  const size = { width: 8, height: 8 };
  const three = SAMPLINGS["4:4:4"];
  const four = [...three, [1, 1]] as const;
  const colorOf = (options: Partial<BuildOptions>) => {
    const { bytes } = buildJpeg({ ...size, sampling: three, ...options });
    const { color, inverted } = parseJpegHeader(bytes);
    return `${color}${inverted ? " inverted" : ""}`;
  };
  assert.equal(colorOf({ sampling: [[1, 1]] }), "gray");
  assert.equal(colorOf({}), "ycc");
  assert.equal(colorOf({ adobe: 1 }), "ycc");
  assert.equal(colorOf({ adobe: 0 }), "rgb");
  assert.equal(colorOf({ ids: [82, 71, 66] }), "rgb");
  assert.equal(colorOf({ sampling: four }), "cmyk");
  assert.equal(colorOf({ sampling: four, adobe: 0 }), "cmyk inverted");
  assert.equal(colorOf({ sampling: four, adobe: 2 }), "ycck inverted");
});

Deno.test("decodeJpeg() converts CMYK to RGB, inverted or not", () => {
  const options: BuildOptions = { width: 20, height: 20, sampling: new Array(4).fill([1, 1]) };
  for (const adobe of [undefined, 0]) {
    const { bytes, planes } = buildJpeg(adobe === undefined ? options : { ...options, adobe });
    const raster = decodeRaster(bytes, { scale: 1 });
    const white = (plane: number, i: number) =>
      adobe === 0 ? planes[plane][i] : 255 - planes[plane][i];
    for (let i = 0; i < 400; i++) {
      for (let c = 0; c < 3; c++) {
        const expected = (white(c, i) * white(3, i)) / 255;
        assert.ok(Math.abs(raster.data[3 * i + c] - expected) <= 3);
      }
    }
  }
});

Deno.test("decodeJpeg() converts YCCK to RGB", () => {
  const sampling = new Array(4).fill([1, 1]);
  const { bytes, planes } = buildJpeg({ width: 20, height: 20, sampling, adobe: 2 });
  const raster = decodeRaster(bytes, { scale: 1 });
  for (let i = 0; i < 400; i++) {
    const [y, cb, cr, k] = planes.map((plane) => plane[i]);
    const paper = [
      y + 1.402 * (cr - 128),
      y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128),
      y + 1.772 * (cb - 128),
    ].map((value) => 255 - Math.min(255, Math.max(0, value)));
    for (let c = 0; c < 3; c++) {
      assert.ok(Math.abs(raster.data[3 * i + c] - (paper[c] * k) / 255) <= 4);
    }
  }
});

/** Smooth shapes with edges and noise, so that every kind of block occurs. */
function paint(width: number, height: number): Uint8Array {
  const random = createRandom(7);
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3;
      const noise = x > width / 2 ? random() * 40 : 0;
      data[at] = 128 + 127 * Math.sin(x / 9) * Math.cos(y / 17);
      data[at + 1] = (x * 255) / width - noise + 40;
      data[at + 2] = (x - width / 2) ** 2 + (y - height / 2) ** 2 < 900 ? 250 : 20 + noise;
    }
  }
  return data;
}

async function encodeWithSharp(options: JpegOptions, gray = false): Promise<Uint8Array> {
  const [width, height] = [203, 157];
  const image = sharp(paint(width, height), { raw: { width, height, channels: 3 } });
  return new Uint8Array(await (gray ? image.toColourspace("b-w") : image).jpeg(options).toBuffer());
}

const VARIANTS: [string, JpegOptions, boolean][] = [
  ["4:2:0", { chromaSubsampling: "4:2:0", quality: 85 }, false],
  ["4:4:4", { chromaSubsampling: "4:4:4", quality: 93 }, false],
  ["gray", { quality: 70 }, true],
  ["coarse 4:2:0", { chromaSubsampling: "4:2:0", quality: 10 }, false],
];

for (const [name, options, gray] of VARIANTS) {
  Deno.test(`decodeJpeg() is within 1 of libjpeg when the file is ${name}`, async () => {
    for (const progressive of [false, true]) {
      const bytes = await encodeWithSharp({ ...options, progressive }, gray);
      const ours = decodeRaster(bytes, { scale: 1 });
      const raw = new Uint8Array(await sharp(bytes).raw().toBuffer());
      const theirs = gray && raw.length > ours.data.length
        ? raw.filter((_, i) => i % 3 === 0)
        : raw;
      assert.ok(maxDifference(toRgb(ours), theirs) <= 1);
    }
  });

  Deno.test(`decodeJpeg() gives the same from progressive and baseline ${name}`, async () => {
    const baseline = await encodeWithSharp({ ...options, progressive: false }, gray);
    const progressive = await encodeWithSharp({ ...options, progressive: true }, gray);
    for (const scale of SCALES) {
      assert.deepEqual(decodeRaster(progressive, { scale }), decodeRaster(baseline, { scale }));
    }
  });

  Deno.test(`decodeJpeg() gives the same pixels for a region of ${name}`, async () => {
    const files = [
      await encodeWithSharp({ ...options, progressive: false }, gray),
      await encodeWithSharp({ ...options, progressive: true }, gray),
    ];
    const random = createRandom(3);
    for (const scale of SCALES) {
      for (const bytes of files) {
        const whole = decodeRaster(bytes, { scale });
        for (let i = 0; i < 12; i++) {
          const x = Math.floor(random() * whole.width);
          const y = Math.floor(random() * whole.height);
          const width = 1 + Math.floor(random() * (whole.width - x));
          const height = 1 + Math.floor(random() * (whole.height - y));
          const part = decodeRaster(bytes, { scale, region: { x, y, width, height } });
          for (let row = 0; row < height; row++) {
            const from = ((y + row) * whole.width + x) * whole.channels;
            assert.deepEqual(
              part.data.subarray(row * width * part.channels, (row + 1) * width * part.channels),
              whole.data.subarray(from, from + width * whole.channels),
            );
          }
        }
      }
    }
  });
}

Deno.test("decodeJpeg() rounds the size up when it scales", () => {
  const { bytes } = buildJpeg({ width: 61, height: 35, sampling: SAMPLINGS["4:2:0"] });
  const sizes = SCALES.map((scale) => {
    const { width, height } = decodeRaster(bytes, { scale });
    return `${width}x${height}`;
  });
  assert.deepEqual(sizes, ["61x35", "46x27", "39x22", "31x18", "23x14", "16x9", "8x5"]);
});

Deno.test("decodeJpeg() gives the mean of the full decode's pixels with exactMean", async () => {
  for (const progressive of [false, true]) {
    const bytes = await encodeWithSharp({ progressive, quality: 90 }, true);
    const full = decodeRaster(bytes, { scale: 1 });
    for (const [by, scale] of [[2, 0.5], [4, 0.25]] as const) {
      const scaled = decodeRaster(bytes, { scale, exactMean: true });
      let worst = 0;
      for (let i = 0; i < scaled.width * scaled.height; i++) {
        const [x, y] = [i % scaled.width, Math.floor(i / scaled.width)];
        // Means at the edges take in padding that the full decode does not deliver.
        if ((x + 1) * by > full.width || (y + 1) * by > full.height) continue;
        let sum = 0;
        let clipped = false;
        for (let j = 0; j < by * by; j++) {
          const at = (y * by + Math.floor(j / by)) * full.width + x * by + j % by;
          const luma = full.data[at * full.channels];
          sum += luma;
          clipped ||= luma === 0 || luma === 255;
        }
        // The transform takes its means before samples are clipped.
        if (!clipped) {
          worst = Math.max(worst, Math.abs(scaled.data[i * scaled.channels] - sum / by ** 2));
        }
      }
      assert.ok(worst <= 1, `1/${by}: off by ${worst}`);
    }
  }
});

/** The low `size`×`size` frequencies of 8×8 samples, as `size`×`size` samples; by the definition. */
function reduceBlock(samples: number[], size: number): number[] {
  const wave = (u: number, x: number, points: number) =>
    (u === 0 ? Math.SQRT1_2 : 1) * Math.cos((Math.PI * u * (2 * x + 1)) / (2 * points));
  const low = Array.from({ length: size * size }, (_, i) => {
    const [u, v] = [i % size, Math.floor(i / size)];
    return samples.reduce((sum, s, j) => sum + s * wave(u, j % 8, 8) * wave(v, j >> 3, 8), 0) / 16;
  });
  return low.map((_, i) => {
    const [x, y] = [i % size, Math.floor(i / size)];
    const sum = low.reduce(
      (all, c, j) => all + c * wave(j % size, x, size) * wave(Math.floor(j / size), y, size),
      0,
    );
    return sum;
  });
}

Deno.test("decodeJpeg() transforms blocks into fewer samples as the definition says", async () => {
  const gray = await encodeWithSharp({ quality: 90 }, true);
  const full = decodeRaster(gray, { scale: 1 });
  for (const scale of [0.75, 0.625, 0.5, 0.375, 0.25] as const) {
    const size = 8 * scale;
    const scaled = decodeRaster(gray, { scale, softness: 0 });
    let worst = 0;
    for (let block = 0; block < 40; block++) {
      const [left, top] = [block % 8, block >> 3];
      const samples = Array.from(
        { length: 64 },
        (_, i) => full.data[(top * 8 + (i >> 3)) * full.width + left * 8 + i % 8],
      );
      // What was clipped is not what the transform saw.
      if (samples.some((sample) => sample === 0 || sample === 255)) continue;
      reduceBlock(samples, size).forEach((expected, i) => {
        const at = (top * size + Math.floor(i / size)) * scaled.width + left * size + i % size;
        const clipped = Math.max(0, Math.min(255, expected));
        worst = Math.max(worst, Math.abs(scaled.data[at] - clipped));
      });
    }
    assert.ok(worst > 0 && worst <= 1.2, `${size}/8: off by ${worst}`);
  }
});

Deno.test("decodeJpeg() leaves the last bits out only as far as it is tolerated", async () => {
  const bytes = await encodeWithSharp({ progressive: true, quality: 80 }, true);
  const damaged = bytes.slice();
  // The last scan holds the last bits of luma. Damage to it must not be noticed when it is not read.
  damaged.fill(0x55, bytes.length - 40, bytes.length - 20);
  for (const scale of [0.25, 0.375] as const) {
    const exact = decodeRaster(bytes, { scale });
    const near = decodeRaster(bytes, { scale, tolerance: 2.5 });
    const decibels = psnr(near.data, exact.data);
    assert.ok(decibels > 40 && decibels < Infinity, `${decibels} dB`);
    assert.deepEqual(decodeRaster(damaged, { scale, tolerance: 2.5 }), near);
    assert.deepEqual(decodeRaster(bytes, { scale, tolerance: 0.1 }), exact);
  }
  const half = { scale: 0.75 } as const;
  assert.deepEqual(decodeRaster(bytes, { ...half, tolerance: 2.5 }), decodeRaster(bytes, half));
});

Deno.test("decodeJpeg() keeps flat pictures flat at every scale and sampling", () => {
  for (const sampling of Object.values(SAMPLINGS)) {
    const blocks = sampling.reduce((sum, [h, v]) => sum + h * v, 0);
    if (blocks > 10) continue;
    const { bytes } = buildJpeg({ width: 45, height: 29, sampling, seed: 5, flat: 40 });
    for (const scale of SCALES) {
      const { data } = decodeRaster(bytes, { scale });
      assert.ok(data.every((value) => value === 128 + 15), "all samples are DC * 3 / 8 + 128");
    }
  }
});

Deno.test("decodeJpeg() stops when the sink needs no more rows", async () => {
  for (const progressive of [false, true]) {
    const bytes = await encodeWithSharp({ progressive });
    let strips = 0;
    decodeJpeg(bytes, { scale: 1 }, { begin() {}, write: () => ++strips < 3 });
    assert.equal(strips, 3);
  }
});

Deno.test("decodeJpeg() passes on what the sink throws", async () => {
  const bytes = await encodeWithSharp({});
  const sink = {
    begin() {
      throw new TypeError("no");
    },
    write: () => true,
  };
  assert.throws(() => decodeJpeg(bytes, { scale: 1 }, sink), TypeError);
});

Deno.test("decodeJpeg() refuses a region outside the picture", async () => {
  const bytes = await encodeWithSharp({});
  const region = { x: 200, y: 0, width: 4, height: 1 };
  assert.throws(() => decodeRaster(bytes, { scale: 1, region }), RangeError);
});
