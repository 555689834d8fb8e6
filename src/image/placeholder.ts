/**
 * What a page shows before a picture has come: a ThumbHash and a dominant colour.
 *
 * @module
 */

import { rgbaToThumbHash } from "thumbhash";

/** Placeholders of one picture. */
export interface Placeholder {
  /** ThumbHash (evanw/thumbhash): at most 25 bytes. */
  readonly thumbHash: Uint8Array;
  /** The most common colour, `#rrggbb`; `#ffffff` for a picture that is all transparent. */
  readonly dominantColor: string;
}

/** Pixels as bytes R, G, B, A, row-major without padding; colour is not premultiplied. */
export interface SmallPicture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array | Uint8ClampedArray;
}

/** Longest side that a ThumbHash is made from. */
const MAX_HASH_SIDE = 100;
/** Bits of each channel by which colours count as one. */
const BUCKET_BITS = 4;

/**
 * Makes the placeholders of a picture. A small one will do: the result is the same from a picture
 * of 100 pixels a side, to which larger ones are averaged down.
 */
export function buildPlaceholder(picture: SmallPicture): Placeholder {
  const { width, height, pixels } = shrink(picture);
  return {
    thumbHash: rgbaToThumbHash(width, height, pixels),
    dominantColor: findDominantColor(pixels),
  };
}

/** The mean of the fullest bucket of similar colours, each pixel weighted by its alpha. */
function findDominantColor(pixels: Uint8Array | Uint8ClampedArray): string {
  const shift = 8 - BUCKET_BITS;
  const weights = new Float64Array(1 << BUCKET_BITS * 3);
  const sums = new Float64Array(weights.length * 3);
  let fullest = -1;
  for (let p = 0; p < pixels.length; p += 4) {
    const alpha = pixels[p + 3];
    if (alpha === 0) continue;
    const bucket = (pixels[p] >> shift << BUCKET_BITS | pixels[p + 1] >> shift) << BUCKET_BITS |
      pixels[p + 2] >> shift;
    weights[bucket] += alpha;
    for (let c = 0; c < 3; c++) sums[bucket * 3 + c] += pixels[p + c] * alpha;
    if (fullest < 0 || weights[bucket] > weights[fullest]) fullest = bucket;
  }
  if (fullest < 0) return "#ffffff";
  const hex = [0, 1, 2].map((c) =>
    Math.round(sums[fullest * 3 + c] / weights[fullest]).toString(16).padStart(2, "0")
  );
  return `#${hex.join("")}`;
}

/** Averages whole blocks of pixels until the longest side fits. */
function shrink(picture: SmallPicture): SmallPicture {
  const factor = Math.ceil(Math.max(picture.width, picture.height) / MAX_HASH_SIDE);
  if (factor === 1) return picture;
  const width = Math.ceil(picture.width / factor);
  const height = Math.ceil(picture.height / factor);
  const pixels = new Uint8Array(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      pixels.set(
        averageBlock(picture, { x: x * factor, y: y * factor, factor }),
        (y * width + x) * 4,
      );
    }
  }
  return { width, height, pixels };
}

function averageBlock(
  { width, height, pixels }: SmallPicture,
  block: { x: number; y: number; factor: number },
): number[] {
  const sum = [0, 0, 0];
  let alpha = 0;
  let count = 0;
  for (let y = block.y; y < Math.min(height, block.y + block.factor); y++) {
    for (let x = block.x; x < Math.min(width, block.x + block.factor); x++) {
      const p = (y * width + x) * 4;
      for (let c = 0; c < 3; c++) sum[c] += pixels[p + c] * pixels[p + 3];
      alpha += pixels[p + 3];
      count++;
    }
  }
  return [
    ...sum.map((value) => alpha === 0 ? 0 : Math.round(value / alpha)),
    Math.round(alpha / count),
  ];
}
