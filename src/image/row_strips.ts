/**
 * Rows as strips: for decoders that make one row of RGBA at a time and need no whole picture.
 *
 * @module
 */

import { LANE1, LANE2, type StripSink } from "./strip.ts";

/** Packed pixels per strip, about; at least one row. */
const STRIP_PIXELS = 16_384;

/** A picture that is made row by row. */
export interface RowSource {
  readonly width: number;
  readonly height: number;
  /** Whether rows may hold an alpha below 255. */
  readonly alpha: boolean;
  /** Whether colour is multiplied by alpha already. Default: it is not. */
  readonly premultiplied?: boolean;
  /** Fills `row` (R, G, B, A for each pixel) with row `y`. Rows are asked for from top to bottom. */
  fillRow(y: number, row: Uint8Array): void;
}

/** Writes all rows into `sink`, until it needs no more. */
export function writeRowStrips(source: RowSource, sink: StripSink): void {
  const { width, height, alpha } = source;
  sink.begin({ width, height, space: "rgb", alpha });
  const stripRows = Math.max(1, Math.min(height, Math.floor(STRIP_PIXELS / width)));
  const color = new Float64Array(stripRows * width);
  const alphas = alpha ? new Uint8Array(stripRows * width) : null;
  const row = new Uint8Array(width * 4);
  for (let y = 0; y < height; y += stripRows) {
    const rows = Math.min(stripRows, height - y);
    for (let r = 0; r < rows; r++) {
      source.fillRow(y + r, row);
      if (alphas === null) packOpaque(row, color, r * width);
      else if (source.premultiplied) packPremultiplied(row, { color, alphas, at: r * width });
      else packAlpha(row, { color, alphas, at: r * width });
    }
    if (!sink.write({ y, rows, color, alpha: alphas })) return;
  }
}

function packOpaque(row: Uint8Array, color: Float64Array, at: number): void {
  for (let p = 0, i = at; p < row.length; p += 4, i++) {
    color[i] = row[p] + row[p + 1] * LANE1 + row[p + 2] * LANE2;
  }
}

interface PackTarget {
  color: Float64Array;
  alphas: Uint8Array;
  at: number;
}

function packAlpha(row: Uint8Array, { color, alphas, at }: PackTarget): void {
  for (let p = 0, i = at; p < row.length; p += 4, i++) {
    const alpha = row[p + 3];
    alphas[i] = alpha;
    // Alpha 0–255 to a factor in 16 bits: 257 * 255 = 65535.
    const factor = alpha * 257;
    color[i] = ((row[p] * factor + 32896) >>> 16) +
      ((row[p + 1] * factor + 32896) >>> 16) * LANE1 +
      ((row[p + 2] * factor + 32896) >>> 16) * LANE2;
  }
}

function packPremultiplied(row: Uint8Array, { color, alphas, at }: PackTarget): void {
  packOpaque(row, color, at);
  for (let p = 3, i = at; p < row.length; p += 4, i++) alphas[i] = row[p];
}
