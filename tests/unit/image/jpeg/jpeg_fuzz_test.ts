import assert from "node:assert/strict";
import sharp from "sharp";
import { decodeJpeg } from "../../../../src/image/jpeg/decode_jpeg.ts";
import { JpegError } from "../../../../src/image/jpeg/jpeg_error.ts";
import { buildJpeg } from "./jpeg_builder.ts";
import { mutateJpeg } from "./jpeg_mutations.ts";

/** More for a longer run; `bench/jpeg_fuzz.ts` does a million over the shared corpus. */
const COUNT = 3000;

async function seeds(): Promise<Uint8Array[]> {
  const size = { width: 83, height: 61 };
  const image = sharp({
    create: {
      ...size,
      channels: 3,
      background: "gray",
      noise: { type: "gaussian", mean: 128, sigma: 50 },
    },
  });
  const encode = async (options: object) =>
    new Uint8Array(await image.clone().jpeg(options).toBuffer());
  return [
    await encode({ quality: 60 }),
    await encode({ progressive: true, chromaSubsampling: "4:4:4" }),
    await encode({ progressive: true, quality: 40 }),
    buildJpeg({ ...size, sampling: [[3, 1], [1, 2], [2, 1]], restartInterval: 2 }).bytes,
    buildJpeg({ ...size, sampling: [[1, 1], [2, 2], [1, 2]], scans: [[0], [1, 2]] }).bytes,
    buildJpeg({ ...size, sampling: [[1, 1], [1, 1], [1, 1], [1, 1]], adobe: 2 }).bytes,
    buildJpeg({ ...size, sampling: [[1, 1]], dnl: true }).bytes,
  ];
}

const SCALES = [1, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125] as const;

Deno.test("decodeJpeg() decodes or refuses every mutated file", async () => {
  const files = await seeds();
  const limits = { maxPixels: 4_000_000, maxScans: 100, maxBufferBytes: 64 << 20 };
  const answers = { decoded: 0, refused: 0 };
  for (let seed = 0; seed < COUNT; seed++) {
    const other = files[(seed * 3 + 1) % files.length];
    const bytes = mutateJpeg(files[seed % files.length], { seed, other });
    const scale = SCALES[seed % SCALES.length];
    let rows = 0;
    let height = 0;
    try {
      decodeJpeg(bytes, { scale, limits, tolerance: seed % 3 }, {
        begin: (info) => {
          height = info.height;
        },
        write: (strip) => {
          assert.equal(strip.y, rows);
          rows += strip.rows;
          return true;
        },
      });
      assert.equal(rows, height, `seed ${seed}`);
      answers.decoded++;
    } catch (error) {
      if (!(error instanceof JpegError)) throw new Error(`seed ${seed}`, { cause: error });
      answers.refused++;
    }
  }
  // Both must occur, or the mutations test nothing.
  assert.ok(answers.decoded > COUNT / 50 && answers.refused > COUNT / 4, JSON.stringify(answers));
});
