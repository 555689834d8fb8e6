import assert from "node:assert/strict";
import { thumbHashToApproximateAspectRatio, thumbHashToAverageRGBA } from "thumbhash";
import { buildPlaceholder } from "../../../src/image/placeholder.ts";

function picture(width: number, height: number, at: (x: number, y: number) => number[]) {
  const pixels = new Uint8Array(width * height * 4);
  for (let i = 0; i < width * height; i++) pixels.set(at(i % width, Math.floor(i / width)), i * 4);
  return { width, height, pixels };
}

Deno.test("buildPlaceholder() keeps average colour and aspect ratio in the hash", () => {
  const { thumbHash } = buildPlaceholder(picture(64, 32, () => [200, 40, 90, 255]));
  const { r, g, b, a } = thumbHashToAverageRGBA(thumbHash);
  assert([r * 255 - 200, g * 255 - 40, b * 255 - 90].every((off) => Math.abs(off) < 12));
  assert.equal(a, 1);
  assert(Math.abs(thumbHashToApproximateAspectRatio(thumbHash) - 2) < 0.5);
});

Deno.test("buildPlaceholder() finds the most common colour, not the average", () => {
  const stripes = picture(50, 50, (x) => x < 30 ? [10, 200, 30, 255] : [250, 0, 0, 255]);
  assert.equal(buildPlaceholder(stripes).dominantColor, "#0ac81e");
});

Deno.test("buildPlaceholder() weighs colours by their alpha and survives full transparency", () => {
  const faint = picture(40, 40, (x) => x < 30 ? [255, 0, 0, 20] : [0, 0, 255, 255]);
  assert.equal(buildPlaceholder(faint).dominantColor, "#0000ff");
  assert.equal(buildPlaceholder(picture(4, 4, () => [9, 9, 9, 0])).dominantColor, "#ffffff");
});

Deno.test("buildPlaceholder() takes pictures of any size and shape", () => {
  for (const [width, height] of [[1, 1], [1, 400], [400, 1], [101, 37], [1000, 800]]) {
    const { thumbHash, dominantColor } = buildPlaceholder(
      picture(width, height, (x) => [x % 2 === 0 ? 100 : 110, 0, 0, 255]),
    );
    assert(thumbHash.length >= 5, `${width}×${height}`);
    assert.match(dominantColor, /^#6[4-9a-e]0000$/);
  }
});
