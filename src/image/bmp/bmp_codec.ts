/**
 * BMP behind the pipeline's port: 1 to 32 bits, palettes, bit fields, RLE4 and RLE8
 * (Microsoft's bitmap storage; BITMAPCOREHEADER to BITMAPV5HEADER).
 *
 * Rows are read straight out of the file, so memory is one strip; RLE takes one byte a pixel.
 *
 * @module
 */

import type { ImageFacts } from "../../core/image_facts.ts";
import { u16le, u32le } from "../../core/image_header/byte_order.ts";
import { AppError } from "../../errors.ts";
import type { ImageDecoder } from "../pipeline.ts";
import { writeRowStrips } from "../row_strips.ts";
import { buildChannelReader, type ChannelMasks } from "./bit_fields.ts";
import { decodeRle } from "./decode_rle.ts";

const INFO_HEADER_BYTES = 40;

interface BmpLayout {
  readonly bits: number;
  readonly compression: string;
  readonly topDown: boolean;
  /** Position of the first stored row. */
  readonly dataAt: number;
  /** Bytes of a stored row, padded to four. */
  readonly rowBytes: number;
  /** R, G, B, A in one word for each index. */
  readonly palette: Uint32Array;
  readonly masks: ChannelMasks;
}

/** Decodes BMP files. */
export const BMP_DECODER: ImageDecoder = {
  formats: ["bmp"],
  traits: { scales: [1], crops: false },
  decode(bytes, facts, { sink }) {
    const layout = parseLayout(bytes, facts);
    const { width, height } = facts;
    const fillRow = createRowReader(bytes, facts, layout);
    writeRowStrips({
      width,
      height,
      alpha: facts.hasAlpha,
      fillRow: (y, row) => fillRow(layout.topDown ? y : height - 1 - y, row),
    }, sink);
  },
};

type RowReader = (stored: number, row: Uint8Array) => void;

function createRowReader(bytes: Uint8Array, facts: ImageFacts, layout: BmpLayout): RowReader {
  const { width, height } = facts;
  const { bits, compression, dataAt, rowBytes, palette } = layout;
  if (compression === "rle8" || compression === "rle4") {
    if (bits !== (compression === "rle8" ? 8 : 4)) throw broken("The BMP has a wrong compression");
    const indices = decodeRle(bytes, { dataAt, width, height, bits });
    return (stored, row) => {
      const pixels = new Uint32Array(row.buffer);
      for (let x = 0; x < width; x++) pixels[x] = palette[indices[stored * width + x]];
    };
  }
  if (compression !== "none" && compression !== "bitfields") {
    throw new AppError("unsupported_image", "BMP with JPEG or PNG inside is not supported");
  }
  if (dataAt + rowBytes * (height - 1) + Math.ceil(width * bits / 8) > bytes.length) {
    throw new AppError("image_truncated", "The BMP ends before its last row");
  }
  if (bits <= 8) {
    const mask = (1 << bits) - 1;
    return (stored, row) => {
      const pixels = new Uint32Array(row.buffer);
      const from = dataAt + stored * rowBytes;
      for (let x = 0, bit = 0; x < width; x++, bit += bits) {
        pixels[x] = palette[bytes[from + (bit >> 3)] >> (8 - bits - (bit & 7)) & mask];
      }
    };
  }
  if (bits === 24) {
    return (stored, row) => {
      let at = dataAt + stored * rowBytes;
      for (let p = 0; p < row.length; p += 4, at += 3) {
        row[p] = bytes[at + 2];
        row[p + 1] = bytes[at + 1];
        row[p + 2] = bytes[at];
        row[p + 3] = 255;
      }
    };
  }
  const readChannels = buildChannelReader(layout.masks);
  const step = bits / 8;
  const read = bits === 16 ? u16le : u32le;
  return (stored, row) => {
    let at = dataAt + stored * rowBytes;
    for (let p = 0; p < row.length; p += 4, at += step) readChannels(read(bytes, at), row, p);
  };
}

function parseLayout(bytes: Uint8Array, facts: ImageFacts): BmpLayout {
  const headerBytes = u32le(bytes, 14);
  const core = headerBytes < INFO_HEADER_BYTES;
  const bits = u16le(bytes, core ? 24 : 28);
  const afterHeader = 14 + headerBytes;
  const masksOutside = headerBytes === INFO_HEADER_BYTES && facts.compression === "bitfields";
  const withAlphaMask = u32le(bytes, 30) === 6;
  const paletteAt = afterHeader + (masksOutside ? withAlphaMask ? 16 : 12 : 0);
  const dataAt = u32le(bytes, 10);
  if (dataAt < afterHeader || dataAt > bytes.length) throw broken("The BMP has no pixels");
  return {
    bits,
    compression: facts.compression,
    topDown: !core && (u32le(bytes, 22) | 0) < 0,
    dataAt,
    rowBytes: Math.ceil(facts.width * bits / 32) * 4,
    palette: readPalette(bytes.subarray(paletteAt, Math.max(paletteAt, dataAt)), {
      entryBytes: core ? 3 : 4,
      bits,
    }),
    masks: readMasks(bytes, facts, bits),
  };
}

/** Indices past the end of the palette are black. */
function readPalette(
  table: Uint8Array,
  { entryBytes, bits }: { entryBytes: number; bits: number },
): Uint32Array {
  const palette = new Uint32Array(256).fill(0xff000000);
  const count = bits > 8 ? 0 : Math.min(1 << bits, Math.floor(table.length / entryBytes));
  for (let i = 0; i < count; i++) {
    const at = i * entryBytes;
    palette[i] = (table[at + 2] | table[at + 1] << 8 | table[at] << 16 | 0xff000000) >>> 0;
  }
  return palette;
}

/** The masks lie at the same place inside longer headers and after the short one. */
function readMasks(bytes: Uint8Array, facts: ImageFacts, bits: number): ChannelMasks {
  if (facts.compression === "bitfields") {
    const alpha = facts.hasAlpha ? u32le(bytes, 66) : 0;
    return { red: u32le(bytes, 54), green: u32le(bytes, 58), blue: u32le(bytes, 62), alpha };
  }
  return bits === 16
    ? { red: 0x7c00, green: 0x3e0, blue: 0x1f, alpha: 0 }
    : { red: 0xff0000, green: 0xff00, blue: 0xff, alpha: 0 };
}

function broken(detail: string): AppError {
  return new AppError("image_undecodable", detail);
}
