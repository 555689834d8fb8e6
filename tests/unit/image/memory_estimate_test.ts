import assert from "node:assert/strict";
import type { ImageFacts } from "../../../src/core/image_facts.ts";
import { estimateRenderBytes } from "../../../src/image/memory_estimate.ts";

const DEFAULT_BUDGET_BYTES = 256 * 2 ** 20;

/** What a render of a 4032 × 3024 picture is taken to need. */
function estimate(format: ImageFacts["format"], output: { width: number; height: number }): number {
  return estimateRenderBytes({
    facts: { format, width: 4032, height: 3024, progressive: false, bitDepth: 8 },
    decode: { scale: 1, raster: { width: 4032, height: 3024 } },
    target: output,
    canvas: output,
    format: "webp",
    sourceBytes: 3_000_000,
  });
}

Deno.test("estimateRenderBytes() lets the photographs of a 12-megapixel camera pass in every format", () => {
  for (const format of ["jpeg", "png", "webp", "tiff", "avif", "heic", "gif", "bmp"] as const) {
    const bytes = estimate(format, { width: 640, height: 480 });
    assert.ok(bytes <= DEFAULT_BUDGET_BYTES, `${format}: ${bytes}`);
  }
});

Deno.test("estimateRenderBytes() grows with the output once encoding takes more than decoding", () => {
  const small = estimate("avif", { width: 320, height: 240 });
  const large = estimate("avif", { width: 4096, height: 4096 });
  assert.ok(large > small + 4096 * 4096 * 8, `${small} ${large}`);
});
