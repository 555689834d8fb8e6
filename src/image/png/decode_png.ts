/**
 * A PNG decoder (W3C PNG third edition) over the platform's native inflate.
 *
 * Rows are unfiltered and packed as they are inflated: a picture without interlace takes memory in
 * proportion to its width. An interlaced one needs its whole frame, 4 bytes a pixel.
 *
 * @module
 */

import { AppError } from "../../errors.ts";
import { releaseBytes } from "../release_bytes.ts";
import { writeRgbaStrips } from "../rgba_source.ts";
import { LANE1, LANE2, type StripSink } from "../strip.ts";
import { inflatePieces } from "./inflate_stream.ts";
import { checkChunkCrc, PNG_COLOR, type PngLayout, readPngLayout } from "./png_layout.ts";
import { createRowPacker, type RowPacker } from "./row_packer.ts";
import { unfilterRow } from "./unfilter_row.ts";

/** Pixels of a pass: which of the frame they are (section 8.1). */
interface Pass {
  readonly x: number;
  readonly y: number;
  readonly stepX: number;
  readonly stepY: number;
}

const WHOLE: readonly Pass[] = [{ x: 0, y: 0, stepX: 1, stepY: 1 }];
const ADAM7: readonly Pass[] = [
  { x: 0, y: 0, stepX: 8, stepY: 8 },
  { x: 4, y: 0, stepX: 8, stepY: 8 },
  { x: 0, y: 4, stepX: 4, stepY: 8 },
  { x: 2, y: 0, stepX: 4, stepY: 4 },
  { x: 0, y: 2, stepX: 2, stepY: 4 },
  { x: 1, y: 0, stepX: 2, stepY: 2 },
  { x: 0, y: 1, stepX: 1, stepY: 2 },
];

const CHANNELS: Readonly<Record<number, number>> = {
  [PNG_COLOR.gray]: 1,
  [PNG_COLOR.rgb]: 3,
  [PNG_COLOR.palette]: 1,
  [PNG_COLOR.grayAlpha]: 2,
  [PNG_COLOR.rgba]: 4,
};

/** Compressed bytes handed to the inflater at once; small IDAT chunks are joined up to this. */
const BATCH_BYTES = 256 * 1024;
/** Packed pixels per strip, about; at least one row. */
const STRIP_PIXELS = 16_384;

/**
 * Decodes the (default) image of a PNG file into `sink`, at full size.
 *
 * @param size The size that the header probe found; a file that disagrees fails closed.
 * @throws {AppError} `image_undecodable` for corrupt data, `image_truncated` when rows are missing.
 */
export async function decodePng(
  bytes: Uint8Array,
  size: { readonly width: number; readonly height: number },
  sink: StripSink,
): Promise<void> {
  const layout = readPngLayout(bytes);
  if (layout.width !== size.width || layout.height !== size.height) {
    throw new AppError("image_undecodable", "The PNG's size differs from its header's");
  }
  const packer = createRowPacker(layout);
  const frame = layout.interlaced
    ? new FrameWriter(layout, packer)
    : new StripWriter(layout, packer, sink);
  const rows = new RowReader(layout, frame);
  await inflatePieces(batchData(bytes, layout), (piece) => rows.take(piece));
  if (!frame.complete) {
    throw new AppError("image_truncated", "The PNG ends before its last row");
  }
  if (frame instanceof FrameWriter) {
    writeRgbaStrips(frame, sink);
    releaseBytes(frame.pixels);
  }
}

/**
 * The image data in batches, each chunk's checksum verified before its bytes are used. Small chunks
 * are joined in one buffer that the next batch overwrites: the inflater is done with it by then.
 */
function* batchData(bytes: Uint8Array, { data }: PngLayout): Generator<Uint8Array> {
  const joined = data.length > 1 ? new Uint8Array(BATCH_BYTES) : new Uint8Array(0);
  let filled = 0;
  for (const chunk of data) {
    checkChunkCrc(bytes, chunk);
    const content = bytes.subarray(chunk.start, chunk.end);
    if (filled + content.length > joined.length && filled > 0) {
      yield joined.subarray(0, filled);
      filled = 0;
    }
    if (content.length > joined.length) {
      yield content;
    } else {
      joined.set(content, filled);
      filled += content.length;
    }
  }
  if (filled > 0) yield joined.subarray(0, filled);
}

/** Takes the unfiltered rows of the passes in turn. */
interface RowTarget {
  /** Returns false when no more rows are needed. */
  put(row: Uint8Array, place: { pass: Pass; width: number; y: number }): boolean;
}

/** Cuts the inflated stream into rows and undoes their filters. */
class RowReader {
  readonly #layout: PngLayout;
  readonly #target: RowTarget;
  readonly #passes: readonly Pass[];
  readonly #step: number;
  #pass = -1;
  #y = 0;
  #width = 0;
  #rows = 0;
  /** The filter type, then the row's bytes. */
  #current = new Uint8Array(0);
  #above = new Uint8Array(0);
  #filled = 0;

  constructor(layout: PngLayout, target: RowTarget) {
    this.#layout = layout;
    this.#target = target;
    this.#passes = layout.interlaced ? ADAM7 : WHOLE;
    this.#step = Math.max(1, CHANNELS[layout.colorType] * layout.depth >> 3);
    this.#nextPass();
  }

  /** Passes of a tiny picture may have no pixels and then no bytes either. */
  #nextPass(): boolean {
    while (++this.#pass < this.#passes.length) {
      const { x, y, stepX, stepY } = this.#passes[this.#pass];
      this.#width = Math.ceil((this.#layout.width - x) / stepX);
      this.#rows = Math.ceil((this.#layout.height - y) / stepY);
      if (this.#width <= 0 || this.#rows <= 0) continue;
      const bits = this.#width * CHANNELS[this.#layout.colorType] * this.#layout.depth;
      this.#current = new Uint8Array(1 + Math.ceil(bits / 8));
      this.#above = new Uint8Array(this.#current.length);
      this.#y = 0;
      return true;
    }
    return false;
  }

  /** Returns false when no more bytes are needed. */
  take(piece: Uint8Array): boolean {
    for (let at = 0; at < piece.length;) {
      const count = Math.min(this.#current.length - this.#filled, piece.length - at);
      this.#current.set(piece.subarray(at, at + count), this.#filled);
      at += count;
      this.#filled += count;
      if (this.#filled === this.#current.length && !this.#finishRow()) return false;
    }
    return true;
  }

  #finishRow(): boolean {
    const row = this.#current.subarray(1);
    const type = this.#current[0];
    unfilterRow(row, { type, above: this.#above.subarray(1), step: this.#step });
    const pass = this.#passes[this.#pass];
    if (!this.#target.put(row, { pass, width: this.#width, y: this.#y })) return false;
    this.#filled = 0;
    [this.#current, this.#above] = [this.#above, this.#current];
    return ++this.#y < this.#rows || this.#nextPass();
  }
}

/** Packs rows into strips and passes them on. */
class StripWriter implements RowTarget {
  readonly #packer: RowPacker;
  readonly #sink: StripSink;
  readonly #height: number;
  readonly #stripRows: number;
  readonly #strip: { y: number; rows: number; color: Float64Array; alpha: Uint8Array | null };
  complete = false;

  constructor({ width, height }: PngLayout, packer: RowPacker, sink: StripSink) {
    this.#packer = packer;
    this.#sink = sink;
    this.#height = height;
    this.#stripRows = Math.max(1, Math.min(height, Math.floor(STRIP_PIXELS / width)));
    const pixels = this.#stripRows * width;
    this.#strip = {
      y: 0,
      rows: 0,
      color: new Float64Array(pixels),
      alpha: packer.alpha ? new Uint8Array(pixels) : null,
    };
    sink.begin({ width, height, space: packer.space, alpha: packer.alpha });
  }

  put(row: Uint8Array, { width, y }: { width: number; y: number }): boolean {
    const strip = this.#strip;
    const { color, alpha } = strip;
    this.#packer.pack(row, { color, alpha, at: strip.rows * width, width });
    strip.rows++;
    const last = y === this.#height - 1;
    if (strip.rows < this.#stripRows && !last) return true;
    const wanted = this.#sink.write(strip);
    strip.y += strip.rows;
    strip.rows = 0;
    if (wanted && !last) return true;
    this.complete = true;
    return false;
  }
}

/** Spreads the rows of the passes over a frame of RGBA bytes. */
class FrameWriter implements RowTarget {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
  /** Colour is premultiplied already: {@linkcode RowPacker} works that way. */
  readonly premultiplied = true;
  readonly #packer: RowPacker;
  readonly #color: Float64Array;
  readonly #alpha: Uint8Array | null;
  readonly #out: Uint32Array;
  readonly #lastRow: { pass: Pass; y: number };
  complete = false;

  constructor(layout: PngLayout, packer: RowPacker) {
    this.width = layout.width;
    this.height = layout.height;
    this.pixels = new Uint8Array(layout.width * layout.height * 4);
    this.#out = new Uint32Array(this.pixels.buffer);
    this.#packer = packer;
    this.#color = new Float64Array(layout.width);
    this.#alpha = packer.alpha ? new Uint8Array(layout.width) : null;
    this.#lastRow = findLastRow(layout);
  }

  put(row: Uint8Array, { pass, width, y }: { pass: Pass; width: number; y: number }): boolean {
    this.#packer.pack(row, { color: this.#color, alpha: this.#alpha, at: 0, width });
    const gray = this.#packer.space === "gray";
    let at = (pass.y + y * pass.stepY) * this.width + pass.x;
    for (let x = 0; x < width; x++, at += pass.stepX) {
      const packed = this.#color[x];
      const c0 = packed & 255;
      const c1 = gray ? c0 : (packed / LANE1) & 255;
      const c2 = gray ? c0 : (packed / LANE2) & 255;
      const alpha = this.#alpha === null ? 255 : this.#alpha[x];
      this.#out[at] = (alpha << 24) | (c2 << 16) | (c1 << 8) | c0;
    }
    if (pass === this.#lastRow.pass && y === this.#lastRow.y) this.complete = true;
    return !this.complete;
  }
}

function findLastRow({ width, height }: PngLayout): { pass: Pass; y: number } {
  const passes = ADAM7.filter(({ x, y }) => x < width && y < height);
  const pass = passes[passes.length - 1];
  return { pass, y: Math.ceil((height - pass.y) / pass.stepY) - 1 };
}
