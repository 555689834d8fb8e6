import { JpegError } from "./jpeg_error.ts";
import type { HuffmanSpec } from "./standard_tables.ts";

/** Bits that index `HuffmanTable.values`. */
export const VALUE_BITS = 10;
/** Bits that index `HuffmanTable.symbols` and the skip table. */
export const SYMBOL_BITS = 13;
/** What an end-of-block adds to the coefficient index: far past any run, so that both differ. */
export const END_OF_BLOCK_RUN = 128;
/** Set in a `values` entry whose extra bits do not fit into the index. */
export const LONG_ENTRY = 0x80;

/**
 * Lookup tables for one Huffman code. The tables hold what decoding needs in one load, because
 * the entropy decoder is bound by the latency of dependent loads.
 */
export interface HuffmanTable {
  /**
   * Indexed by the next `VALUE_BITS` bits: `value << 16 | run << 8 | bits used`, where `value` is
   * the sign-extended coefficient (T.81 F.2.2.1 EXTEND). 0 or `LONG_ENTRY` means: decode the
   * symbol by `decodeSymbol`.
   */
  readonly values: Int32Array;
  /** Indexed by the next `SYMBOL_BITS` bits: `code length << 8 | symbol`, 0 for longer codes. */
  readonly symbols: Uint16Array;
  /** Largest code of each length, -1 when there is none (T.81 F.2.2.3). */
  readonly maxCode: Int32Array;
  /** Index of the first symbol of each length, minus its code. */
  readonly symbolOffset: Int32Array;
  readonly symbolList: Uint8Array;
  /**
   * Passes several AC symbols at once when their values do not matter. Indexed by the next
   * `SYMBOL_BITS` bits: `advance << 16 | advance before the last symbol << 8 | bits used`; 0 when
   * not even one symbol fits. Built on first use.
   */
  skip: Int32Array | null;
}

/** Builds the tables for a DC code (`kind` "dc") or an AC code. Throws `corrupt` for bad codes. */
export function buildHuffmanTable(spec: HuffmanSpec, kind: "dc" | "ac"): HuffmanTable {
  const { counts, symbols: symbolList } = spec;
  const maxCode = new Int32Array(17).fill(-1);
  const symbolOffset = new Int32Array(17);
  const symbols = new Uint16Array(1 << SYMBOL_BITS);
  let code = 0;
  let index = 0;
  for (let length = 1; length <= 16; length++) {
    const count = counts[length - 1];
    if (code + count > 1 << length) {
      throw new JpegError("corrupt", "A Huffman table has more codes than its lengths allow");
    }
    symbolOffset[length] = index - code;
    for (let i = 0; i < count; i++, index++, code++) {
      const symbol = symbolList[index];
      // T.81 F.1.2.1.1 allows categories up to 11 (15 at 12 bits); 16 would need more than 32 bits.
      if (kind === "dc" && symbol > 15) {
        throw new JpegError("corrupt", "A DC Huffman table has a symbol above 15");
      }
      if (length <= SYMBOL_BITS) {
        const first = code << (SYMBOL_BITS - length);
        symbols.fill((length << 8) | symbol, first, first + (1 << (SYMBOL_BITS - length)));
      }
    }
    if (count > 0) maxCode[length] = code - 1;
    code <<= 1;
  }
  const values = buildValues(symbols, kind);
  return { values, symbols, maxCode, symbolOffset, symbolList, skip: null };
}

/**
 * Decodes one symbol from 32 bits of look-ahead: returns `code length << 8 | symbol`.
 * Throws `corrupt` when the bits are no code.
 */
export function decodeSymbol(table: HuffmanTable, peek: number): number {
  const entry = table.symbols[peek >>> (32 - SYMBOL_BITS)];
  if (entry !== 0) return entry;
  const maxCode = table.maxCode;
  for (let length = SYMBOL_BITS + 1; length <= 16; length++) {
    const code = peek >>> (32 - length);
    if (code <= maxCode[length]) {
      return (length << 8) | table.symbolList[table.symbolOffset[length] + code];
    }
  }
  throw new JpegError("corrupt", "The entropy-coded data holds a bit sequence that is no code");
}

/** The skip table of an AC code, built on first use. */
export function skipTableOf(table: HuffmanTable): Int32Array {
  table.skip ??= buildSkip(table.symbols);
  return table.skip;
}

function buildValues(symbols: Uint16Array, kind: "dc" | "ac"): Int32Array {
  const values = new Int32Array(1 << VALUE_BITS);
  for (let bits = 0; bits < values.length; bits++) {
    const entry = symbols[bits << (SYMBOL_BITS - VALUE_BITS)];
    const length = entry >> 8;
    if (length === 0 || length > VALUE_BITS) continue;
    const symbol = entry & 255;
    const size = kind === "dc" ? symbol : symbol & 15;
    let run = kind === "dc" ? 0 : symbol >> 4;
    if (kind === "ac" && size === 0 && run !== 15) run = END_OF_BLOCK_RUN;
    if (length + size > VALUE_BITS) {
      values[bits] = LONG_ENTRY;
      continue;
    }
    let value = 0;
    if (size > 0) {
      value = (bits >> (VALUE_BITS - length - size)) & ((1 << size) - 1);
      if (value < 1 << (size - 1)) value -= (1 << size) - 1;
    }
    values[bits] = (value << 16) | (run << 8) | (length + size);
  }
  return values;
}

function buildSkip(symbols: Uint16Array): Int32Array {
  const skip = new Int32Array(1 << SYMBOL_BITS);
  const mask = skip.length - 1;
  for (let bits = 0; bits < skip.length; bits++) {
    let used = 0;
    let advance = 0;
    let before = 0;
    for (let count = 0; used < SYMBOL_BITS && advance < 63; count++) {
      const entry = symbols[(bits << used) & mask];
      const length = entry >> 8;
      if (length === 0 || used + length > SYMBOL_BITS) break;
      const size = entry & 15;
      const run = (entry >> 4) & 15;
      // The extra bits of the first symbol may lie beyond the index: its value is not looked at.
      if (count > 0 && used + length + size > SYMBOL_BITS) break;
      before = advance;
      used += length + size;
      if (size === 0 && run !== 15) {
        advance += END_OF_BLOCK_RUN;
        break;
      }
      advance += run + 1;
    }
    if (used > 0) skip[bits] = (advance << 16) | (before << 8) | used;
  }
  return skip;
}
