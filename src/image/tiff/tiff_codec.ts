/**
 * TIFF behind the pipeline's port: the first page, strip by strip or tile row by tile row.
 *
 * Memory follows the largest strip, not the picture; a picture of one strip is held whole.
 *
 * @module
 */

import type { ImageFacts } from "../../core/image_facts.ts";
import { AppError } from "../../errors.ts";
import type { InkMixer } from "../color/ink_mixer.ts";
import { loadInkMixer } from "../color/load_ink_mixer.ts";
import type { ImageDecoder } from "../pipeline.ts";
import { writeRowStrips } from "../row_strips.ts";
import { readChunk } from "./read_chunk.ts";
import { createJpegBandReader } from "./jpeg_band.ts";
import { unpackChroma } from "./subsampled_chroma.ts";
import { createRowConverter } from "./tiff_colors.ts";
import { parseTiffLayout, PHOTOMETRIC, type TiffLayout } from "./tiff_layout.ts";

/** Reads row `y` as R, G, B, A. */
export type BandRowReader = (y: number, row: Uint8Array) => void;

const JPEG_COMPRESSION = 7;

/** Decodes the first page of TIFF files of 1 to 64 bits a sample. */
export const TIFF_DECODER: ImageDecoder = {
  formats: ["tiff"],
  traits: { scales: [1], crops: false },
  async decode(bytes, facts, { sink }) {
    const layout = parseTiffLayout(bytes);
    checkSize(layout, facts);
    const mixer = await loadInkMixer(bytes, facts);
    const readRow = layout.compression === JPEG_COMPRESSION
      ? createJpegBandReader(bytes, layout, mixer)
      : createBandReader(bytes, layout, mixer);
    writeRowStrips({
      width: layout.width,
      height: layout.height,
      alpha: layout.alphaKind > 0,
      premultiplied: layout.alphaKind === 1,
      fillRow: readRow,
    }, sink);
  },
};

function checkSize({ width, height }: TiffLayout, facts: ImageFacts): void {
  if (width === facts.width && height === facts.height) return;
  throw new AppError("image_undecodable", "The TIFF's size differs from its header's");
}

/** Keeps the samples of one band: the strips or tiles that share their rows. */
function createBandReader(
  bytes: Uint8Array,
  layout: TiffLayout,
  mixer: InkMixer | null,
): BandRowReader {
  const { width, height, chunkHeight, samples } = layout;
  const convert = createRowConverter(layout, mixer);
  const rowSamples = width * samples;
  let band: Uint8Array | null = null;
  let loaded = -1;
  return (y, row) => {
    const index = Math.floor(y / chunkHeight);
    if (index !== loaded) {
      band ??= new Uint8Array(Math.min(chunkHeight, height) * rowSamples);
      loadBand(bytes, layout, { index, band });
      loaded = index;
    }
    const at = (y - index * chunkHeight) * rowSamples;
    convert((band as Uint8Array).subarray(at, at + rowSamples), row);
  };
}

function loadBand(
  bytes: Uint8Array,
  layout: TiffLayout,
  { index, band }: { index: number; band: Uint8Array },
): void {
  const { width, height, chunkWidth, chunkHeight, samples, planar } = layout;
  const across = Math.ceil(width / chunkWidth);
  const down = Math.ceil(height / chunkHeight);
  const shown = Math.min(chunkHeight, height - index * chunkHeight);
  // Tiles are always whole; the last strip may be shorter.
  const rows = chunkWidth === width && across === 1 ? shown : chunkHeight;
  const subsampled = layout.photometric === PHOTOMETRIC.ycbcr &&
    (layout.subsampling[0] > 1 || layout.subsampling[1] > 1);
  for (let plane = 0; plane < (planar ? samples : 1); plane++) {
    for (let column = 0; column < across; column++) {
      const chunk = { index: (plane * down + index) * across + column, rows };
      const data = subsampled
        ? unpackChroma(bytes, layout, chunk)
        : readChunk(bytes, layout, chunk);
      copyIntoBand(data, layout, { band, rows: shown, left: column * chunkWidth, plane });
    }
  }
}

function copyIntoBand(
  data: Uint8Array,
  layout: TiffLayout,
  to: { band: Uint8Array; rows: number; left: number; plane: number },
): void {
  const { width, chunkWidth, samples, planar } = layout;
  const columns = Math.min(chunkWidth, width - to.left);
  for (let y = 0; y < to.rows; y++) {
    const target = (y * width + to.left) * samples;
    if (!planar) {
      const from = y * chunkWidth * samples;
      to.band.set(data.subarray(from, from + columns * samples), target);
      continue;
    }
    for (let x = 0; x < columns; x++) {
      to.band[target + x * samples + to.plane] = data[y * chunkWidth + x];
    }
  }
}
