/**
 * TIFF strips and tiles that are JPEG streams (TIFF Technical Note 2).
 *
 * @module
 */

import { AppError } from "../../errors.ts";
import type { InkMixer } from "../color/ink_mixer.ts";
import { decodeJpeg } from "../jpeg/decode_jpeg.ts";
import { JpegError } from "../jpeg/jpeg_error.ts";
import { LANE1, LANE2, type LaneSpace, type StripSink } from "../strip.ts";
import type { BandRowReader } from "./tiff_codec.ts";
import { PHOTOMETRIC, type TiffLayout } from "./tiff_layout.ts";

/** Adobe's marker segment (TN 5116) with a transform of 0, RGB, or 1, YCbCr. */
function adobeSegment(transform: 0 | 1): number[] {
  return [0xff, 0xee, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, transform];
}

/** Reads rows out of bands of JPEG strips, keeping one band as R, G, B, A. */
export function createJpegBandReader(
  bytes: Uint8Array,
  layout: TiffLayout,
  mixer: InkMixer | null,
): BandRowReader {
  const { width, height, chunkWidth, chunkHeight } = layout;
  if (layout.bits !== 8 || layout.planar) {
    throw new AppError("unsupported_image", "TIFF with such a JPEG inside is not supported");
  }
  const across = Math.ceil(width / chunkWidth);
  const band = new Uint8Array(Math.min(chunkHeight, height) * width * 4);
  let loaded = -1;
  return (y, row) => {
    const index = Math.floor(y / chunkHeight);
    if (index !== loaded) {
      for (let column = 0; column < across; column++) {
        const stream = joinTables(bytes, layout, index * across + column);
        decodeInto(stream, {
          band,
          bandWidth: width,
          left: column * chunkWidth,
          rows: Math.min(chunkHeight, height - index * chunkHeight),
          chunkWidth,
          mixer,
        });
      }
      loaded = index;
    }
    const at = (y - index * chunkHeight) * width * 4;
    row.set(band.subarray(at, at + width * 4));
  };
}

/** The stream of a strip, with the shared tables and what its samples mean. */
function joinTables(bytes: Uint8Array, layout: TiffLayout, index: number): Uint8Array {
  const offset = layout.offsets[index];
  const strip = bytes.subarray(offset, offset + (layout.byteCounts[index] ?? bytes.length));
  if (strip[0] !== 0xff || strip[1] !== 0xd8) {
    throw new AppError("image_undecodable", "The TIFF has a broken JPEG strip");
  }
  const tables = layout.jpegTables?.subarray(2, -2) ?? new Uint8Array(0);
  const space = layout.photometric === PHOTOMETRIC.ycbcr
    ? adobeSegment(1)
    : layout.photometric === PHOTOMETRIC.rgb
    ? adobeSegment(0)
    : [];
  const stream = new Uint8Array(2 + space.length + tables.length + strip.length - 2);
  stream.set([0xff, 0xd8, ...space]);
  stream.set(tables, 2 + space.length);
  stream.set(strip.subarray(2), 2 + space.length + tables.length);
  return stream;
}

interface BandTarget {
  band: Uint8Array;
  bandWidth: number;
  left: number;
  rows: number;
  chunkWidth: number;
  mixer: InkMixer | null;
}

function decodeInto(stream: Uint8Array, target: BandTarget): void {
  try {
    decodeJpeg(stream, { scale: 1, mixer: target.mixer }, createBandSink(target));
  } catch (error) {
    if (!(error instanceof JpegError)) throw error;
    throw new AppError("image_undecodable", "The TIFF has a broken JPEG strip", { cause: error });
  }
}

function createBandSink({ band, bandWidth, left, rows, chunkWidth }: BandTarget): StripSink {
  let width = 0;
  let space: LaneSpace = "rgb";
  return {
    begin(info) {
      if (info.width !== chunkWidth || info.height < rows) {
        throw new AppError("image_undecodable", "The TIFF's JPEG strip has another size");
      }
      width = info.width;
      space = info.space;
    },
    write(strip) {
      const columns = Math.min(width, bandWidth - left);
      for (let r = 0; r < strip.rows && strip.y + r < rows; r++) {
        const to = ((strip.y + r) * bandWidth + left) * 4;
        const from = r * width;
        writePixels(strip.color.subarray(from, from + columns), {
          space,
          row: band.subarray(to, to + columns * 4),
        });
      }
      return strip.y + strip.rows < rows;
    },
  };
}

function writePixels(
  packed: Float64Array,
  { space, row }: { space: LaneSpace; row: Uint8Array },
): void {
  const clamped = new Uint8ClampedArray(row.buffer, row.byteOffset, row.length);
  for (let i = 0, p = 0; i < packed.length; i++, p += 4) {
    const c2 = Math.floor(packed[i] / LANE2);
    const rest = packed[i] - c2 * LANE2;
    const c1 = Math.floor(rest / LANE1);
    const c0 = rest - c1 * LANE1;
    clamped[p] = space === "ycc" ? c0 + 1.402 * (c2 - 128) : c0;
    clamped[p + 1] = space === "ycc"
      ? c0 - 0.344136 * (c1 - 128) - 0.714136 * (c2 - 128)
      : space === "gray"
      ? c0
      : c1;
    clamped[p + 2] = space === "ycc" ? c0 + 1.772 * (c1 - 128) : space === "gray" ? c0 : c2;
    clamped[p + 3] = 255;
  }
}
