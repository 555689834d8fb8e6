/** What the four bytes of a pixel hold; the fourth is not looked at. */
export type JpegPixelSpace =
  /** Red, green, blue. */
  | "rgb"
  /** Y, Cb, Cr as JFIF codes them (full-range BT.601): nothing is converted. */
  | "ycc"
  /** The first byte is the sample. */
  | "gray";

/** Pixels to encode: 4 bytes each, rows without padding. */
export interface JpegPixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
  readonly space: JpegPixelSpace;
}

/** The level-shifted samples of one MCU row: 16 luma rows and 8 rows of each chroma. */
export interface SamplePlanes {
  /** Luma samples per row; chroma rows have half as many. */
  readonly stride: number;
  readonly y: Float64Array;
  readonly cb: Float64Array;
  readonly cr: Float64Array;
}

/** Planes for a picture of `width` pixels, padded to whole MCUs. */
export function createPlanes(width: number): SamplePlanes {
  const stride = (width + 15) & ~15;
  return {
    stride,
    y: new Float64Array(stride * 16),
    cb: new Float64Array(stride * 4),
    cr: new Float64Array(stride * 4),
  };
}

/**
 * Fills `planes` from the 16 pixel rows at `top`; beyond the edges the last pixel is repeated
 * (T.81 A.2.4). Chroma is the mean of 2×2 pixels.
 */
export function loadPlanes(pixels: JpegPixels, top: number, planes: SamplePlanes): void {
  const { width, height, data, space } = pixels;
  const words = new Uint32Array(data.buffer, data.byteOffset, width * height);
  for (let row = 0; row < 16; row += 2) {
    const first = Math.min(top + row, height - 1) * width;
    const second = Math.min(top + row + 1, height - 1) * width;
    const target = { lumaAt: row * planes.stride, chromaAt: row * planes.stride >> 2 };
    const source = { words, first, second, width };
    if (space === "rgb") loadRgb(source, planes, target);
    else loadYcc(source, planes, target);
    if (width & 1 || width < planes.stride) padRows(planes, { ...target, width });
  }
}

interface PixelRows {
  readonly words: Uint32Array;
  /** Where the two rows begin. */
  readonly first: number;
  readonly second: number;
  readonly width: number;
}

interface RowTarget {
  readonly lumaAt: number;
  readonly chromaAt: number;
}

/** JFIF's conversion in integers of 16 bits; the sums of the rows are 65536, 0 and 0. */
function loadRgb(source: PixelRows, planes: SamplePlanes, { lumaAt, chromaAt }: RowTarget): void {
  const { words, first, second, width } = source;
  const { y, cb, cr, stride } = planes;
  const imul = Math.imul;
  const last = width - 1;
  for (let x = 0; x < width; x += 2) {
    const right = x < last ? x + 1 : last;
    const a = words[first + x];
    const b = words[first + right];
    const c = words[second + x];
    const d = words[second + right];
    const at = lumaAt + x;
    y[at] = lumaOf(a);
    y[at + 1] = lumaOf(b);
    y[at + stride] = lumaOf(c);
    y[at + stride + 1] = lumaOf(d);
    // Red and blue of four pixels in one integer: their sums need 10 bits.
    const redBlue = (a & 0xff00ff) + (b & 0xff00ff) + (c & 0xff00ff) + (d & 0xff00ff);
    const green = ((a >>> 8) & 255) + ((b >>> 8) & 255) + ((c >>> 8) & 255) + ((d >>> 8) & 255);
    const red = redBlue & 0xffff;
    const blue = redBlue >>> 16;
    const chroma = chromaAt + (x >> 1);
    cb[chroma] = (imul(blue, 32768) - imul(red, 11059) - imul(green, 21709)) * QUARTER;
    cr[chroma] = (imul(red, 32768) - imul(green, 27439) - imul(blue, 5329)) * QUARTER;
  }
}

/** The mean of four, out of 16-bit fractions. */
const QUARTER = 1 / (4 * 65536);

function lumaOf(pixel: number): number {
  return ((Math.imul(pixel & 255, 19595) + Math.imul((pixel >>> 8) & 255, 38470) +
    Math.imul((pixel >>> 16) & 255, 7471) + 32768) >> 16) - 128;
}

/** Samples as they are; in a gray picture the chroma planes are not used. */
function loadYcc(source: PixelRows, planes: SamplePlanes, { lumaAt, chromaAt }: RowTarget): void {
  const { words, first, second, width } = source;
  const { y, cb, cr, stride } = planes;
  const last = width - 1;
  for (let x = 0; x < width; x += 2) {
    const right = x < last ? x + 1 : last;
    const a = words[first + x];
    const b = words[first + right];
    const c = words[second + x];
    const d = words[second + right];
    const at = lumaAt + x;
    y[at] = (a & 255) - 128;
    y[at + 1] = (b & 255) - 128;
    y[at + stride] = (c & 255) - 128;
    y[at + stride + 1] = (d & 255) - 128;
    const blueness = ((a >>> 8) & 255) + ((b >>> 8) & 255) + ((c >>> 8) & 255) + ((d >>> 8) & 255);
    const redness = ((a >>> 16) & 255) + ((b >>> 16) & 255) + ((c >>> 16) & 255) +
      ((d >>> 16) & 255);
    const chroma = chromaAt + (x >> 1);
    cb[chroma] = blueness * 0.25 - 128;
    cr[chroma] = redness * 0.25 - 128;
  }
}

/** Repeats the last pixel up to the end of the MCU. */
function padRows(
  planes: SamplePlanes,
  options: { lumaAt: number; chromaAt: number; width: number },
): void {
  const { y, cb, cr, stride } = planes;
  const { lumaAt, chromaAt, width } = options;
  for (const at of [lumaAt, lumaAt + stride]) y.fill(y[at + width - 1], at + width, at + stride);
  const chromaWidth = (width + 1) >> 1;
  for (const plane of [cb, cr]) {
    plane.fill(plane[chromaAt + chromaWidth - 1], chromaAt + chromaWidth, chromaAt + stride / 2);
  }
}
