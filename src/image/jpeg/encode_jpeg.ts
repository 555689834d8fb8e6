/**
 * Baseline JPEG encoder in plain TypeScript (ITU-T T.81), 4:2:0, with Huffman codes made for the
 * picture.
 *
 * @module
 */
import { buildQuantFactors, nonzeroIndexes, quantized, transformBlock } from "./forward_dct.ts";
import { JpegError } from "./jpeg_error.ts";
import { buildOptimalCode } from "./optimal_huffman.ts";
import { createPlanes, type JpegPixels, loadPlanes, type SamplePlanes } from "./sample_planes.ts";
import { type HuffmanSpec, STANDARD_QUANT_CHROMA, STANDARD_QUANT_LUMA } from "./standard_tables.ts";
import {
  AC_CHROMA,
  AC_LUMA,
  codedBytes,
  DC_CHROMA,
  DC_LUMA,
  MAX_BLOCK_TOKENS,
  TokenStream,
  writeTokens,
} from "./token_stream.ts";
import { ZIGZAG } from "./zigzag.ts";

/** Most that a frame header can say. */
const MAX_SIDE = 65_535;
/** Segments before the scan are smaller than this. */
const HEADER_BYTES = 2048;

/**
 * Encodes pixels as a JFIF file without metadata. The fourth byte of a pixel is not looked at:
 * what is transparent must have been flattened before.
 *
 * `quality` is 1–100 on libjpeg's scale. Gray pictures get one component, others three with chroma
 * at half the size. Throws `JpegError` `unsupported` for sides outside 1–65535, and `RangeError`
 * when `data` does not hold the picture or is not aligned to 4 bytes.
 */
export function encodeJpeg(
  pixels: JpegPixels,
  options: { readonly quality: number },
): Uint8Array<ArrayBuffer> {
  checkPixels(pixels);
  const gray = pixels.space === "gray";
  const luma = scaleQuant(STANDARD_QUANT_LUMA, options.quality);
  const chroma = scaleQuant(STANDARD_QUANT_CHROMA, options.quality);
  const stream = codePicture(pixels, {
    luma: buildQuantFactors(luma),
    chroma: gray ? null : buildQuantFactors(chroma),
  });
  const specs = new Map<number, HuffmanSpec>();
  for (const table of gray ? [DC_LUMA, AC_LUMA] : [DC_LUMA, AC_LUMA, DC_CHROMA, AC_CHROMA]) {
    specs.set(table, buildOptimalCode(stream.counts.subarray(table, table + 256)));
  }
  // Stuffing at most doubles the scan.
  const out = new Uint8Array(HEADER_BYTES + 2 * codedBytes(stream, specs) + 16);
  const header = buildHeader(pixels, { quant: gray ? [luma] : [luma, chroma], specs });
  out.set(header);
  const end = writeTokens(stream, specs, { out, position: header.length });
  out.set([0xff, 0xd9], end);
  return out.slice(0, end + 2);
}

/** T.81's example tables scaled by a quality as libjpeg does (jcparam.c): 50 leaves them alone. */
function scaleQuant(table: Uint8Array, quality: number): Uint8Array {
  const clamped = Math.min(100, Math.max(1, Math.round(quality)));
  const percent = clamped < 50 ? Math.floor(5000 / clamped) : 200 - 2 * clamped;
  return table.map((value) => Math.min(255, Math.max(1, Math.floor((value * percent + 50) / 100))));
}

interface QuantFactors {
  readonly luma: Float64Array;
  /** Null for gray pictures. */
  readonly chroma: Float64Array | null;
}

function codePicture(pixels: JpegPixels, factors: QuantFactors): TokenStream {
  const { width, height } = pixels;
  const planes = createPlanes(width);
  // A guess that seldom has to grow: photographs of quality 80 have about 5 tokens a block.
  const stream = new TokenStream(4096 + ((width * height) >> 2));
  const coder = new BlockCoder(stream);
  for (let top = 0; top < height; top += 16) {
    loadPlanes(pixels, top, planes);
    if (factors.chroma) codeMcuRow(coder, planes, { luma: factors.luma, chroma: factors.chroma });
    else codeGrayRows(coder, planes, { factors: factors.luma, width, rows: height - top });
  }
  return stream;
}

/** Codes one block after the other, and keeps the predictors of their components. */
class BlockCoder {
  readonly #predictors = new Int32Array(3);
  readonly #block = { quantized, indexes: nonzeroIndexes, count: 0 };
  readonly #tables = { predictor: 0, dc: 0, ac: 0 };
  readonly #transform: { stride: number; factors: Float64Array } = {
    stride: 0,
    factors: new Float64Array(0),
  };

  constructor(readonly stream: TokenStream) {}

  code(
    component: number,
    samples: { plane: Float64Array; stride: number; factors: Float64Array },
    at: number,
  ): void {
    const tables = this.#tables;
    tables.predictor = this.#predictors[component];
    tables.dc = component === 0 ? DC_LUMA : DC_CHROMA;
    tables.ac = component === 0 ? AC_LUMA : AC_CHROMA;
    this.#transform.stride = samples.stride;
    this.#transform.factors = samples.factors;
    this.#block.count = transformBlock(samples.plane, at, this.#transform);
    this.stream.addBlock(this.#block, tables);
    this.#predictors[component] = quantized[0];
  }
}

/** Four luma blocks and one of each chroma for every 16×16 pixels (T.81 A.2.3). */
function codeMcuRow(
  coder: BlockCoder,
  planes: SamplePlanes,
  factors: { luma: Float64Array; chroma: Float64Array },
): void {
  const { stride } = planes;
  const y = { plane: planes.y, stride, factors: factors.luma };
  const cb = { plane: planes.cb, stride: stride / 2, factors: factors.chroma };
  const cr = { plane: planes.cr, stride: stride / 2, factors: factors.chroma };
  for (let x = 0; x < stride; x += 16) {
    coder.stream.reserve(6 * MAX_BLOCK_TOKENS);
    coder.code(0, y, x);
    coder.code(0, y, x + 8);
    coder.code(0, y, x + 8 * stride);
    coder.code(0, y, x + 8 * stride + 8);
    coder.code(1, cb, x / 2);
    coder.code(2, cr, x / 2);
  }
}

/** A scan of one component has one block an MCU, and no blocks beyond the picture (T.81 A.2.2). */
function codeGrayRows(
  coder: BlockCoder,
  planes: SamplePlanes,
  options: { factors: Float64Array; width: number; rows: number },
): void {
  const samples = { plane: planes.y, stride: planes.stride, factors: options.factors };
  for (let top = 0; top < Math.min(16, options.rows); top += 8) {
    for (let x = 0; x < options.width; x += 8) {
      coder.stream.reserve(MAX_BLOCK_TOKENS);
      coder.code(0, samples, top * planes.stride + x);
    }
  }
}

/** All segments up to the entropy-coded data (T.81 B.2, JFIF 1.02). */
function buildHeader(
  pixels: JpegPixels,
  tables: { quant: Uint8Array[]; specs: ReadonlyMap<number, HuffmanSpec> },
): number[] {
  const { width, height } = pixels;
  const components = tables.quant.length === 1 ? 1 : 3;
  const sampling = components === 1 ? 0x11 : 0x22;
  const bytes = [0xff, 0xd8];
  const segment = (marker: number, payload: number[]) => {
    bytes.push(0xff, marker, (payload.length + 2) >> 8, (payload.length + 2) & 255, ...payload);
  };
  segment(0xe0, [0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0]);
  tables.quant.forEach((table, index) => {
    segment(0xdb, [index, ...Array.from(ZIGZAG, (at) => table[at])]);
  });
  const frame = [8, height >> 8, height & 255, width >> 8, width & 255, components];
  for (let i = 0; i < components; i++) {
    frame.push(i + 1, i === 0 ? sampling : 0x11, i === 0 ? 0 : 1);
  }
  segment(0xc0, frame);
  const ids = new Map([[DC_LUMA, 0x00], [AC_LUMA, 0x10], [DC_CHROMA, 0x01], [AC_CHROMA, 0x11]]);
  for (const [table, { counts, symbols }] of tables.specs) {
    segment(0xc4, [ids.get(table)!, ...counts, ...symbols]);
  }
  const scan = [components];
  for (let i = 0; i < components; i++) scan.push(i + 1, i === 0 ? 0x00 : 0x11);
  segment(0xda, [...scan, 0, 63, 0]);
  return bytes;
}

function checkPixels({ width, height, data }: JpegPixels): void {
  const fits = (side: number) => Number.isInteger(side) && side >= 1 && side <= MAX_SIDE;
  if (!fits(width) || !fits(height)) {
    throw new JpegError("unsupported", `A JPEG cannot be ${width}×${height}`);
  }
  if (data.length < width * height * 4 || data.byteOffset % 4 !== 0) {
    throw new RangeError("The pixel data does not hold the picture, or is not aligned");
  }
}
