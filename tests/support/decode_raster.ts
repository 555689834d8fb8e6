/** Runs a decoder and gathers its strips as R, G, B, A, for tests to look at. */
import { memorySource } from "../../src/core/image_header/byte_source.ts";
import { probeImage } from "../../src/core/image_header/probe_image.ts";
import type { ImageDecoder } from "../../src/image/pipeline.ts";
import { LANE1, LANE2 } from "../../src/image/strip.ts";

export interface DecodedRaster {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** Probes and decodes a whole file at its own size, or an SVG at `size`. */
export async function decodeRaster(
  decoder: ImageDecoder,
  bytes: Uint8Array,
  options: { size?: { width: number; height: number }; maxRows?: number } = {},
): Promise<DecodedRaster> {
  const facts = await probeImage(memorySource(bytes));
  if (facts === null) throw new TypeError("not an image");
  const { width, height } = options.size ?? facts;
  const pixels = new Uint8Array(width * height * 4);
  const raster = { width, height };
  await decoder.decode(bytes, facts, {
    plan: { scale: 1, raster, region: { x: 0, y: 0, ...raster } },
    sink: {
      begin(info) {
        if (info.width !== width || info.height !== height || info.space === "ycc") {
          throw new TypeError("unexpected raster");
        }
      },
      write(strip) {
        for (let i = 0; i < strip.rows * width; i++) {
          const p = (strip.y * width + i) * 4;
          const alpha = strip.alpha ? strip.alpha[i] : 255;
          const packed = strip.color[i];
          const blue = Math.floor(packed / LANE2);
          const green = Math.floor((packed - blue * LANE2) / LANE1);
          const lanes = [packed - blue * LANE2 - green * LANE1, green, blue];
          const scale = alpha === 0 ? 0 : 255 / alpha;
          for (let c = 0; c < 3; c++) pixels[p + c] = Math.min(255, Math.round(lanes[c] * scale));
          pixels[p + 3] = alpha;
        }
        return strip.y + strip.rows < (options.maxRows ?? Infinity);
      },
    },
  });
  return { width, height, pixels };
}
