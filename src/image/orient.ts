/**
 * The eight EXIF orientations, applied to finished pixels (CIPA DC-008 section 4.6.5, tag 0x0112).
 *
 * @module
 */

import { orientSize } from "./geometry.ts";
import type { RgbaImage } from "./rgba_image.ts";
import type { Orientation } from "../core/image_facts.ts";

/** Turns stored pixels upright. Orientation 1 returns the same image, others a new one. */
export function orientImage(image: RgbaImage, orientation: Orientation): RgbaImage {
  if (orientation === 1) return image;
  const { width, height } = image;
  const source = new Uint32Array(image.pixels.buffer, image.pixels.byteOffset, width * height);
  const size = orientSize(image, orientation);
  const pixels = new Uint8Array(width * height * 4);
  const target = new Uint32Array(pixels.buffer);
  const walk = storedWalk(width, height, orientation);
  let out = 0;
  for (let y = 0; y < size.height; y++) {
    let from = walk.start + y * walk.down;
    for (let x = 0; x < size.width; x++) {
      target[out++] = source[from];
      from += walk.right;
    }
  }
  return { ...image, ...size, pixels };
}

/** Index steps in the stored image while the upright one is written row by row. */
function storedWalk(
  width: number,
  height: number,
  orientation: Exclude<Orientation, 1>,
): { start: number; right: number; down: number } {
  const lastColumn = width - 1;
  const lastRow = (height - 1) * width;
  switch (orientation) {
    case 2:
      return { start: lastColumn, right: -1, down: width };
    case 3:
      return { start: lastRow + lastColumn, right: -1, down: -width };
    case 4:
      return { start: lastRow, right: 1, down: -width };
    case 5:
      return { start: 0, right: width, down: 1 };
    case 6:
      return { start: lastRow, right: -width, down: 1 };
    case 7:
      return { start: lastRow + lastColumn, right: -width, down: -1 };
    case 8:
      return { start: lastColumn, right: width, down: -1 };
  }
}
