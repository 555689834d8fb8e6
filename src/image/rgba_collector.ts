import type { RgbaImage } from "./rgba_image.ts";
import { LANE1, LANE2, type RasterInfo, type Strip, type StripSink } from "./strip.ts";

/** A sink that keeps a whole picture: for small ones only. */
export interface RgbaCollector extends StripSink {
  /** What was collected. */
  picture(): RgbaImage;
}

/** Creates a sink for pictures of gray or RGB lanes. */
export function createRgbaCollector(): RgbaCollector {
  let info: RasterInfo | undefined;
  let pixels = new Uint8Array(0);
  return {
    begin(given) {
      if (given.space === "ycc") throw new TypeError("Cannot collect ycc: expected gray or rgb");
      info = given;
      pixels = new Uint8Array(given.width * given.height * 4);
    },
    write(strip) {
      const { width, space } = info!;
      unpack(strip, { width, isGray: space === "gray", pixels });
      return true;
    },
    picture() {
      if (!info) throw new TypeError("Cannot give a picture before it was collected");
      return { width: info.width, height: info.height, pixels, opaque: !info.alpha };
    },
  };
}

function unpack(
  strip: Strip,
  target: { readonly width: number; readonly isGray: boolean; readonly pixels: Uint8Array },
): void {
  const { width, isGray, pixels } = target;
  let to = strip.y * width * 4;
  for (let at = 0; at < strip.rows * width; at++, to += 4) {
    const packed = strip.color[at];
    const alpha = strip.alpha?.[at] ?? 255;
    const c0 = packed % LANE1;
    const c1 = isGray ? c0 : Math.floor(packed / LANE1) % LANE1;
    const c2 = isGray ? c0 : Math.floor(packed / LANE2);
    pixels[to] = unmultiply(c0, alpha);
    pixels[to + 1] = unmultiply(c1, alpha);
    pixels[to + 2] = unmultiply(c2, alpha);
    pixels[to + 3] = alpha;
  }
}

function unmultiply(value: number, alpha: number): number {
  return alpha === 0 ? 0 : Math.min(255, Math.round(value * 255 / alpha));
}
