import assert from "node:assert/strict";
import type { ImageFacts } from "../../../src/core/image_facts.ts";
import { estimateRenderBytes } from "../../../src/image/memory_estimate.ts";

const DEFAULT_BUDGET_BYTES = 256 * 2 ** 20;

/** What a render of a 4032 × 3024 picture to 640 × 480 is taken to need. */
function estimate(format: ImageFacts["format"]): number {
  const output = { width: 640, height: 480 };
  return estimateRenderBytes({
    facts: { format, width: 4032, height: 3024, progressive: false, bitDepth: 8 },
    decode: { scale: 1, raster: { width: 4032, height: 3024 } },
    target: output,
    canvas: output,
    format: "webp",
    sourceBytes: 3_000_000,
  });
}

Deno.test("estimateRenderBytes() lets the photographs of a 12-megapixel camera pass", () => {
  for (const format of ["jpeg", "png", "webp", "tiff", "heic", "gif", "bmp"] as const) {
    const bytes = estimate(format);
    assert.ok(bytes <= DEFAULT_BUDGET_BYTES, `${format}: ${bytes}`);
  }
});

Deno.test("estimateRenderBytes() does not let an AVIF of 12 megapixels take the service over 512 MB", () => {
  // Its decoder takes 236 MB, on top of some 250 that the service holds after many renders.
  assert.ok(estimate("avif") > DEFAULT_BUDGET_BYTES);
});
