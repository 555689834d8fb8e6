/**
 * Rendering before it is needed: loads codecs and gets hot loops compiled.
 *
 * @module
 */

import type { ImageFacts } from "../../core/image_facts.ts";
import { type PipelineParts, renderImage } from "../../image/pipeline.ts";
import { encodePng } from "../../image/png/encode_png.ts";
import { CENTRE, type OutputFormat, type RenderSpec } from "../../image/render_spec.ts";
import type { RgbaImage } from "../../image/rgba_image.ts";

const WIDTH = 512;
const HEIGHT = 384;
const ROUNDS = 3;
const WARM_BUDGET_BYTES = 256 * 2 ** 20;

/** Renders a made-up picture through the common decoders and encoders. Never throws. */
export async function warmPipeline(parts: PipelineParts): Promise<void> {
  try {
    const picture = drawPicture();
    const jpegEncoder = await parts.findEncoder("jpg");
    const sources = [
      { format: "png" as const, bytes: encodePng(picture) },
      { format: "jpeg" as const, bytes: await jpegEncoder.encode(picture, { quality: 90 }) },
    ];
    for (let round = 0; round < ROUNDS; round++) {
      for (const { format, bytes } of sources) {
        for (const output of ["webp", "jpg"] as const) {
          await renderImage({
            source: bytes,
            facts: describe(format),
            spec: buildSpec(output),
            memoryBudgetBytes: WARM_BUDGET_BYTES,
          }, parts);
        }
      }
    }
  } catch {
    // A codec that cannot be loaded shows in the first render that needs it, with its own error.
  }
}

function buildSpec(format: OutputFormat): RenderSpec {
  return { width: 320, height: 240, fit: "cover", focal: CENTRE, quality: 80, format };
}

function describe(format: "jpeg" | "png"): ImageFacts {
  return {
    format,
    mediaType: `image/${format}`,
    width: WIDTH,
    height: HEIGHT,
    orientation: 1,
    orientedWidth: WIDTH,
    orientedHeight: HEIGHT,
    frames: 1,
    bitDepth: 8,
    colorModel: "rgb",
    hasAlpha: false,
    progressive: false,
    compression: format === "jpeg" ? "baseline" : "deflate",
    iccName: null,
    icc: null,
  };
}

function drawPicture(): RgbaImage {
  const pixels = new Uint8Array(WIDTH * HEIGHT * 4);
  for (let i = 0, p = 0; p < pixels.length; i++, p += 4) {
    const x = i % WIDTH;
    const y = (i - x) / WIDTH;
    pixels[p] = x ^ y;
    pixels[p + 1] = (x * y) >> 8;
    pixels[p + 2] = x + y;
    pixels[p + 3] = 255;
  }
  return { width: WIDTH, height: HEIGHT, pixels, opaque: true };
}
