/**
 * TIFF samples as RGBA (TIFF 6.0 sections 4 to 6, 16, 18 and 21).
 *
 * @module
 */

import { AppError } from "../../errors.ts";
import { PHOTOMETRIC, type TiffLayout } from "./tiff_layout.ts";

/** Turns the 8-bit samples of one row, all of a pixel together, into R, G, B, A. */
export type RowConverter = (samples: Uint8Array, row: Uint8Array) => void;

/**
 * Picks the converter of a layout.
 *
 * @throws {AppError} `unsupported_image` for Lab, LogLuv, transparency masks and the like.
 */
export function createRowConverter(layout: TiffLayout): RowConverter {
  const { photometric, samples, alphaKind } = layout;
  switch (photometric) {
    case PHOTOMETRIC.whiteIsZero:
    case PHOTOMETRIC.blackIsZero:
      return gray(samples, {
        invert: photometric === PHOTOMETRIC.whiteIsZero ? 255 : 0,
        alphaAt: alphaKind > 0 ? 1 : -1,
      });
    case PHOTOMETRIC.palette:
      return palette(layout);
    case PHOTOMETRIC.rgb:
      if (samples < 3) break;
      return rgb(samples, alphaKind > 0 && samples > 3 ? 3 : -1);
    case PHOTOMETRIC.separated:
      if (samples < 4) break;
      return cmyk(samples, alphaKind > 0 && samples > 4 ? 4 : -1);
    case PHOTOMETRIC.ycbcr:
      if (samples === 3) return ycbcr();
  }
  throw new AppError("unsupported_image", "TIFF in this colour space is not supported");
}

function gray(
  step: number,
  { invert, alphaAt }: { invert: number; alphaAt: number },
): RowConverter {
  return (samples, row) => {
    for (let p = 0, i = 0; p < row.length; p += 4, i += step) {
      row[p] = row[p + 1] = row[p + 2] = samples[i] ^ invert;
      row[p + 3] = alphaAt < 0 ? 255 : samples[i + alphaAt];
    }
  };
}

function rgb(step: number, alphaAt: number): RowConverter {
  return (samples, row) => {
    for (let p = 0, i = 0; p < row.length; p += 4, i += step) {
      row[p] = samples[i];
      row[p + 1] = samples[i + 1];
      row[p + 2] = samples[i + 2];
      row[p + 3] = alphaAt < 0 ? 255 : samples[i + alphaAt];
    }
  };
}

/** Without a colour engine: each ink takes its part of the light, black of all. */
function cmyk(step: number, alphaAt: number): RowConverter {
  return (samples, row) => {
    for (let p = 0, i = 0; p < row.length; p += 4, i += step) {
      const light = 255 - samples[i + 3];
      for (let c = 0; c < 3; c++) row[p + c] = Math.round((255 - samples[i + c]) * light / 255);
      row[p + 3] = alphaAt < 0 ? 255 : samples[i + alphaAt];
    }
  };
}

/** Full-range BT.601, the default of TIFF and JPEG. */
function ycbcr(): RowConverter {
  const clamped = new Uint8ClampedArray(3);
  return (samples, row) => {
    for (let p = 0, i = 0; p < row.length; p += 4, i += 3) {
      const blue = samples[i + 1] - 128;
      const red = samples[i + 2] - 128;
      clamped[0] = samples[i] + 1.402 * red;
      clamped[1] = samples[i] - 0.344136 * blue - 0.714136 * red;
      clamped[2] = samples[i] + 1.772 * blue;
      row.set(clamped, p);
      row[p + 3] = 255;
    }
  };
}

function palette({ colorMap, bits, samples }: TiffLayout): RowConverter {
  const count = 1 << bits;
  if (bits > 8 || colorMap.length < count * 3) {
    throw new AppError("image_undecodable", "The TIFF has no colour map");
  }
  // Some writers fill the map with 8-bit values.
  const shift = colorMap.some((value) => value > 255) ? 8 : 0;
  return (indices, row) => {
    for (let p = 0, i = 0; p < row.length; p += 4, i += samples) {
      for (let c = 0; c < 3; c++) row[p + c] = colorMap[c * count + indices[i]] >> shift;
      row[p + 3] = 255;
    }
  };
}
