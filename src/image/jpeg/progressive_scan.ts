import type { BitReader } from "./bit_reader.ts";
import type { Component } from "./component.ts";
import { decodeSymbol, type HuffmanTable, LONG_ENTRY, VALUE_BITS } from "./huffman_table.ts";
import { JpegError } from "./jpeg_error.ts";

/** Blocks `from` to `to` (exclusive) of row `row`, counted as the scan counts its MCUs. */
export interface BlockRun {
  readonly row: number;
  readonly from: number;
  readonly to: number;
}

/** First scan of DC coefficients (T.81 G.1.2.1): differences, scaled by 2^low. */
export function decodeDcFirst(
  reader: BitReader,
  parts: readonly { component: Component; dc: HuffmanTable | null }[],
  options: { run: BlockRun; low: number },
): void {
  const { run: { row, from, to }, low } = options;
  const { words, state } = reader;
  const interleaved = parts.length > 1;
  for (let mcu = from; mcu < to; mcu++) {
    if (state[3] >= reader.limit) reader.refill();
    let current = state[0];
    let next = state[1];
    let offset = state[2];
    let index = state[3];
    for (let i = 0; i < parts.length; i++) {
      const { component, dc } = parts[i];
      const h = interleaved ? component.frame.h : 1;
      const v = interleaved ? component.frame.v : 1;
      const table = dc as HuffmanTable;
      for (let y = 0; y < v; y++) {
        let at = ((row * v + y) * component.blocksPerLine + mcu * h) * component.coefficientCount;
        for (let x = 0; x < h; x++) {
          const peek = (current << offset) | ((next >>> 1) >>> (31 - offset));
          const entry = table.values[peek >>> (32 - VALUE_BITS)];
          let value = 0;
          if (entry !== 0 && (entry & LONG_ENTRY) === 0) {
            value = entry >> 16;
            offset += entry & 31;
          } else {
            const symbol = decodeSymbol(table, peek);
            const length = symbol >> 8;
            const size = symbol & 255;
            if (size > 0) {
              value = (peek << length) >>> (32 - size);
              if (value < 1 << (size - 1)) value -= (1 << size) - 1;
            }
            offset += length + size;
          }
          if (offset >= 32) {
            offset -= 32;
            current = next;
            next = words[++index];
          }
          const sum = (component.predictor + value) | 0;
          component.predictor = sum;
          component.coefficients[at] = sum << low;
          at += component.coefficientCount;
        }
      }
    }
    state[0] = current;
    state[1] = next;
    state[2] = offset;
    state[3] = index;
  }
}

/** Later scans of DC coefficients (T.81 G.1.2.1): one bit each. */
export function decodeDcRefine(
  reader: BitReader,
  components: readonly Component[],
  options: { run: BlockRun; low: number },
): void {
  const { run: { row, from, to }, low } = options;
  const { words, state } = reader;
  const interleaved = components.length > 1;
  for (let mcu = from; mcu < to; mcu++) {
    if (state[3] >= reader.limit) reader.refill();
    let current = state[0];
    let next = state[1];
    let offset = state[2];
    let index = state[3];
    for (let i = 0; i < components.length; i++) {
      const { frame, coefficients, blocksPerLine, coefficientCount: count } = components[i];
      const h = interleaved ? frame.h : 1;
      const v = interleaved ? frame.v : 1;
      for (let y = 0; y < v; y++) {
        let at = ((row * v + y) * blocksPerLine + mcu * h) * count;
        for (let x = 0; x < h; x++, at += count) {
          coefficients[at] |= ((current << offset) >>> 31) << low;
          if (++offset === 32) {
            offset = 0;
            current = next;
            next = words[++index];
          }
        }
      }
    }
    state[0] = current;
    state[1] = next;
    state[2] = offset;
    state[3] = index;
  }
}

/** The band of coefficients that an AC scan codes, and its bit position (Ss, Se, Al). */
export interface Band {
  readonly first: number;
  readonly last: number;
  readonly low: number;
}

/**
 * First scan of a band of AC coefficients (T.81 G.1.2.2). Returns the end-of-band run that is
 * left for the blocks after `run`; `endRun` is the one left from the blocks before.
 *
 * Only the coefficients that the scale needs are stored; `nonzero` is kept for all 64, because
 * refinement scans cannot be read without it.
 */
export function decodeAcFirst(
  reader: BitReader,
  part: { component: Component; ac: HuffmanTable },
  options: { run: BlockRun; band: Band; endRun: number },
): number {
  const { component, ac } = part;
  const { run, band: { first, last, low } } = options;
  const { words, state } = reader;
  const { coefficients, nonzero, coefficientCount: stored } = component;
  const values = ac.values;
  let endRun = options.endRun;
  let limit = reader.limit;
  let current = state[0];
  let next = state[1];
  let offset = state[2];
  let index = state[3];
  const line = run.row * component.blocksPerLine;
  for (let x = run.from; x < run.to; x++) {
    if (endRun > 0) {
      const skipped = Math.min(endRun, run.to - x);
      endRun -= skipped;
      x += skipped - 1;
      continue;
    }
    if (index >= limit) {
      state[0] = current;
      state[1] = next;
      state[2] = offset;
      state[3] = index;
      reader.refill();
      current = state[0];
      next = state[1];
      offset = state[2];
      index = state[3];
      limit = reader.limit;
    }
    const at = line + x;
    const base = at * stored;
    let low32 = nonzero[2 * at];
    let high32 = nonzero[2 * at + 1];
    let k = first;
    while (k <= last) {
      const peek = (current << offset) | ((next >>> 1) >>> (31 - offset));
      const entry = values[peek >>> (32 - VALUE_BITS)];
      let value = entry >> 16;
      if (value !== 0) {
        offset += entry & 31;
        k += (entry >> 8) & 255;
      } else {
        const symbol = decodeSymbol(ac, peek);
        const length = symbol >> 8;
        const size = symbol & 15;
        const zeros = (symbol >> 4) & 15;
        offset += length + size;
        if (size === 0) {
          if (offset >= 32) {
            offset -= 32;
            current = next;
            next = words[++index];
          }
          if (zeros === 15) {
            k += 16;
            continue;
          }
          if (zeros > 0) {
            const bits = (current << offset) | ((next >>> 1) >>> (31 - offset));
            endRun = (1 << zeros) - 1 + (bits >>> (32 - zeros));
            offset += zeros;
            if (offset >= 32) {
              offset -= 32;
              current = next;
              next = words[++index];
            }
          }
          k = 128;
          break;
        }
        value = (peek << length) >>> (32 - size);
        if (value < 1 << (size - 1)) value -= (1 << size) - 1;
        k += zeros;
      }
      if (k < stored) coefficients[base + k] = value << low;
      if (k < 32) low32 |= 1 << k;
      else high32 |= 1 << (k - 32);
      k++;
      if (offset >= 32) {
        offset -= 32;
        current = next;
        next = words[++index];
      }
    }
    if (k > last + 1 && k < 128) {
      throw new JpegError("corrupt", "A run of coefficients goes past the end of its band");
    }
    nonzero[2 * at] = low32;
    nonzero[2 * at + 1] = high32;
  }
  state[0] = current;
  state[1] = next;
  state[2] = offset;
  state[3] = index;
  return endRun;
}
