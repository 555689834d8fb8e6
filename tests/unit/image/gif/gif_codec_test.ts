import assert from "node:assert/strict";
import { GIF_DECODER } from "../../../../src/image/gif/gif_codec.ts";
import { hasCode } from "../../../../src/errors.ts";
import { decodeRaster } from "../../../support/decode_raster.ts";
import { bytesOf, le16 } from "../../../support/image_builder.ts";

/** Palette: black, red, green, blue. */
const COLORS = [0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255];

/** A GIF of 4 colours whose indices are written as literal codes of three bits. */
function gif(options: {
  canvas: [number, number];
  frame: [left: number, top: number, width: number, height: number];
  indices: number[];
  transparent?: number;
  interlaced?: boolean;
}): Uint8Array {
  const { canvas, frame, indices, transparent, interlaced = false } = options;
  // A clear code (4) before every second index keeps codes at three bits.
  const codes = indices.flatMap((index, i) => i % 2 === 0 ? [4, index] : [index]).concat(5);
  const bits = codes.map((code) => code.toString(2).padStart(3, "0")).reverse().join("");
  const data: number[] = [];
  for (let end = bits.length; end > 0; end -= 8) {
    data.push(parseInt(bits.slice(Math.max(0, end - 8), end), 2));
  }
  return bytesOf(
    "GIF89a",
    le16(canvas[0]),
    le16(canvas[1]),
    0x81,
    0,
    0,
    COLORS,
    transparent === undefined ? [] : [0x21, 0xf9, 4, 1, 0, 0, transparent, 0],
    0x2c,
    ...frame.map(le16),
    interlaced ? 0x40 : 0,
    2,
    data.length,
    data,
    0,
    0x3b,
  );
}

/** Pixels as letters: the palette's, `.` for transparent. */
async function letters(bytes: Uint8Array): Promise<string[]> {
  const { width, height, pixels } = await decodeRaster(GIF_DECODER, bytes);
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => {
      const [r, g, b, a] = pixels.subarray((y * width + x) * 4, (y * width + x) * 4 + 4);
      return a === 0 ? "." : r ? "r" : g ? "g" : b ? "b" : "k";
    }).join(""));
}

Deno.test("GIF_DECODER composes the first frame on its canvas", async () => {
  const bytes = gif({ canvas: [4, 3], frame: [1, 1, 2, 2], indices: [1, 2, 3, 0] });
  assert.deepEqual(await letters(bytes), ["....", ".rg.", ".bk."]);
});

Deno.test("GIF_DECODER cuts a frame that leaves its canvas", async () => {
  const bytes = gif({ canvas: [2, 2], frame: [1, 1, 2, 2], indices: [1, 2, 3, 0] });
  assert.deepEqual(await letters(bytes), ["..", ".r"]);
});

Deno.test("GIF_DECODER makes one index transparent", async () => {
  const bytes = gif({ canvas: [2, 1], frame: [0, 0, 2, 1], indices: [1, 2], transparent: 2 });
  assert.deepEqual(await letters(bytes), ["r."]);
});

Deno.test("GIF_DECODER puts interlaced rows in order", async () => {
  const indices = [0, 1, 2, 3, 1, 2, 3, 1, 0];
  const bytes = gif({ canvas: [1, 9], frame: [0, 0, 1, 9], indices, interlaced: true });
  // Stored order of nine rows: 0 8 | 4 | 2 6 | 1 3 5 7.
  assert.equal(
    (await letters(bytes)).join(""),
    "k" + "g" + "b" + "b" + "g" + "r" + "r" + "k" + "r",
  );
});

Deno.test("GIF_DECODER names cut-off and impossible data", async () => {
  const whole = gif({ canvas: [2, 2], frame: [0, 0, 2, 2], indices: [1, 2, 3, 0] });
  const short = gif({ canvas: [2, 2], frame: [0, 0, 2, 2], indices: [1, 2] });
  await assert.rejects(decodeRaster(GIF_DECODER, short), (e) => hasCode(e, "image_truncated"));
  const wrong = whole.slice();
  wrong[wrong.length - 5] = 0xff;
  await assert.rejects(decodeRaster(GIF_DECODER, wrong), (e) => hasCode(e, "image_undecodable"));
});

Deno.test("GIF_DECODER refuses a frame of too many pixels without making room for it", async () => {
  const bytes = gif({ canvas: [1, 1], frame: [0, 0, 65_535, 65_535], indices: [1] });
  await assert.rejects(
    decodeRaster(GIF_DECODER, bytes),
    (e) => hasCode(e, "image_budget_exceeded"),
  );
});
