/**
 * TIFF samples as RGBA (TIFF 6.0 sections 4 to 6, 16, 18 and 21).
 *
 * @module
 */

import { AppError } from "../../errors.ts";
import type { InkMixer } from "../color/ink_mixer.ts";
import { labToSrgb } from "../color/lab_to_srgb.ts";
import { LANE1, LANE2 } from "../strip.ts";
import { PHOTOMETRIC, type TiffLayout } from "./tiff_layout.ts";

/** Turns the 8-bit samples of one row, all of a pixel together, into R, G, B, A. */
export type RowConverter = (samples: Uint8Array, row: Uint8Array) => void;

/**
 * Picks the converter of a layout.
 *
 * @throws {AppError} `unsupported_image` for LogLuv, transparency masks and the like.
 */
export function createRowConverter(layout: TiffLayout, mixer: InkMixer | null): RowConverter {
  const { photometric, samples, bits, alphaKind } = layout;
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
      return cmyk(samples, { alphaAt: alphaKind > 0 && samples > 4 ? 4 : -1, mixer });
    case PHOTOMETRIC.ycbcr:
      if (samples === 3) return ycbcr();
      break;
    case PHOTOMETRIC.cieLab:
    case PHOTOMETRIC.iccLab:
      if (samples < 3 || bits !== 8) break;
      return lab(
        samples,
        alphaKind > 0 && samples > 3 ? 3 : -1,
        photometric === PHOTOMETRIC.iccLab ? 128 : 0,
      );
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

/** By the profile, or without one each ink takes its part of the light, black of all. */
function cmyk(
  step: number,
  { alphaAt, mixer }: { alphaAt: number; mixer: InkMixer | null },
): RowConverter {
  return (samples, row) => {
    for (let p = 0, i = 0; p < row.length; p += 4, i += step) {
      row[p + 3] = alphaAt < 0 ? 255 : samples[i + alphaAt];
      if (mixer !== null) {
        const packed = mixer.mix(samples[i], samples[i + 1], samples[i + 2], samples[i + 3]);
        const blue = Math.floor(packed / LANE2);
        const green = Math.floor((packed - blue * LANE2) / LANE1);
        row[p] = packed - blue * LANE2 - green * LANE1;
        row[p + 1] = green;
        row[p + 2] = blue;
        continue;
      }
      const light = 255 - samples[i + 3];
      for (let c = 0; c < 3; c++) row[p + c] = Math.round((255 - samples[i + c]) * light / 255);
    }
  };
}

/** Lab of 8 bits: lightness up to 255; a and b signed (CIELab), or from 128 (ICC's Lab). */
function lab(step: number, alphaAt: number, neutral: number): RowConverter {
  const rgb = new Float32Array(3);
  return (samples, row) => {
    for (let p = 0, i = 0; p < row.length; p += 4, i += step) {
      // Adding 128 and cutting to a byte turns a signed byte into one counted from 128.
      const a = (samples[i + 1] + 128 - neutral & 255) - 128;
      const b = (samples[i + 2] + 128 - neutral & 255) - 128;
      labToSrgb({ lightness: samples[i] / 2.55, a, b }, rgb);
      for (let c = 0; c < 3; c++) row[p + c] = Math.round(rgb[c]);
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
