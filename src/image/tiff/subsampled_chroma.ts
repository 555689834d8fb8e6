/**
 * YCbCr strips with fewer chroma than luma samples (TIFF 6.0 section 21): data units of a block of
 * Y, then one Cb and one Cr.
 *
 * @module
 */

import { AppError } from "../../errors.ts";
import { readChunk } from "./read_chunk.ts";
import type { TiffLayout } from "./tiff_layout.ts";

/** Decompresses a chunk and repeats chroma, giving Y, Cb, Cr for each pixel. */
export function unpackChroma(
  bytes: Uint8Array,
  layout: TiffLayout,
  chunk: { index: number; rows: number },
): Uint8Array {
  const [across, down] = layout.subsampling;
  const valid = [1, 2, 4].includes(across) && [1, 2, 4].includes(down);
  if (!valid || layout.bits !== 8 || layout.planar || layout.samples !== 3) {
    throw new AppError("unsupported_image", "TIFF with such chroma is not supported");
  }
  const { chunkWidth } = layout;
  const unitsAcross = Math.ceil(chunkWidth / across);
  const unitsDown = Math.ceil(chunk.rows / down);
  const unitBytes = across * down + 2;
  // A row of units, seen as a row of bytes.
  const packed = { ...layout, chunkWidth: unitsAcross * unitBytes, samples: 1, predictor: 1 };
  const data = readChunk(bytes, packed, { index: chunk.index, rows: unitsDown });
  const out = new Uint8Array(chunk.rows * chunkWidth * 3);
  for (let y = 0, to = 0; y < chunk.rows; y++) {
    const row = Math.floor(y / down) * unitsAcross;
    for (let x = 0; x < chunkWidth; x++) {
      const unit = (row + Math.floor(x / across)) * unitBytes;
      out[to++] = data[unit + y % down * across + x % across];
      out[to++] = data[unit + unitBytes - 2];
      out[to++] = data[unit + unitBytes - 1];
    }
  }
  return out;
}
