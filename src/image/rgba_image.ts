/**
 * A finished picture: what the resampler makes and encoders take.
 *
 * @module
 */

/** Pixels of four bytes, row-major without padding; colour is not premultiplied. */
export interface RgbaImage {
  readonly width: number;
  readonly height: number;
  /** `width * height * 4` bytes, on a 4-byte boundary. */
  readonly pixels: Uint8Array;
  /** Whether every alpha is 255. */
  readonly opaque: boolean;
  /**
   * What the first three bytes are: R, G, B (default), or Y, Cb, Cr (full-range BT.601), which only
   * opaque pictures for an encoder that takes it have.
   */
  readonly space?: "rgb" | "ycc";
}

/** Lays a picture with transparency on white, in place: for formats without alpha. */
export function flattenOnWhite(image: RgbaImage): RgbaImage {
  if (image.opaque) return image;
  const { pixels } = image;
  for (let i = 0; i < pixels.length; i += 4) {
    const alpha = pixels[i + 3];
    if (alpha === 255) continue;
    const white = (255 - alpha) * 255 + 127;
    pixels[i] = (pixels[i] * alpha + white) / 255;
    pixels[i + 1] = (pixels[i + 1] * alpha + white) / 255;
    pixels[i + 2] = (pixels[i + 2] * alpha + white) / 255;
    pixels[i + 3] = 255;
  }
  return { ...image, opaque: true };
}

/** Centres a picture on a transparent canvas that is no smaller than it. */
export function padToCanvas(
  image: RgbaImage,
  canvas: { readonly width: number; readonly height: number },
): RgbaImage {
  const { width, height } = canvas;
  if (image.width === width && image.height === height) return image;
  const left = (width - image.width) >> 1;
  const top = (height - image.height) >> 1;
  const pixels = new Uint8Array(width * height * 4);
  const rowBytes = image.width * 4;
  for (let y = 0; y < image.height; y++) {
    const row = image.pixels.subarray(y * rowBytes, (y + 1) * rowBytes);
    pixels.set(row, ((top + y) * width + left) * 4);
  }
  return { width, height, pixels, opaque: false };
}
