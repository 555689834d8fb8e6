import type { BitReader } from "./bit_reader.ts";
import type { Component } from "./component.ts";
import {
  decodeSymbol,
  type HuffmanTable,
  LONG_ENTRY,
  skipTableOf,
  SYMBOL_BITS,
  VALUE_BITS,
} from "./huffman_table.ts";
import { block } from "./inverse_dct.ts";
import { inverseDct } from "./inverse_dct_reduced.ts";
import { JpegError } from "./jpeg_error.ts";

/** One block of an MCU: its component, its tables and where its samples go. */
export interface McuBlock {
  readonly component: Component;
  readonly dc: HuffmanTable;
  readonly ac: HuffmanTable;
  readonly skip: Int32Array;
  readonly dequant: Int32Array;
  /** Samples from one MCU to the next, and sample rows from one MCU row to the next. */
  readonly step: number;
  readonly rowStep: number;
  /** Position of the block in its component's MCU. */
  readonly column: number;
  readonly row: number;
  /** Where in the plane the block of the row's first MCU begins; set for every MCU row. */
  base: number;
}

/** The blocks of one MCU of a scan (T.81 A.2.3), in the order in which they are coded. */
export function buildMcuBlocks(
  parts: readonly { component: Component; dc: HuffmanTable; ac: HuffmanTable }[],
): McuBlock[] {
  const blocks: McuBlock[] = [];
  for (const { component, dc, ac } of parts) {
    // A scan of one component is not interleaved: its MCU is one block (T.81 A.2.2).
    const { h, v } = parts.length === 1 ? { h: 1, v: 1 } : component.frame;
    if (component.dequant === null) {
      throw new JpegError("corrupt", "A scan uses an undefined quantisation table");
    }
    const shared = { component, dc, ac, skip: skipTableOf(ac), dequant: component.dequant };
    for (let row = 0; row < v; row++) {
      for (let column = 0; column < h; column++) {
        const { size } = component;
        blocks.push({ ...shared, step: h * size, rowStep: v * size, column, row, base: 0 });
      }
    }
  }
  return blocks;
}

/**
 * Decodes MCUs `from` to `to` (exclusive) of the current MCU row (T.81 F.2.2). With `wanted`
 * their samples are written into the planes; without, the bits are only passed over.
 *
 * Coefficients past the last one needed at the scale are passed over several symbols at a time.
 * The reader's state lives in locals; this function is longer than others for that reason.
 */
export function decodeMcus(
  reader: BitReader,
  blocks: readonly McuBlock[],
  range: { from: number; to: number; wanted: boolean },
): void {
  const { words, state } = reader;
  const { from, to, wanted } = range;
  let current = state[0];
  let next = state[1];
  let offset = state[2];
  let index = state[3];
  let limit = reader.limit;
  const count = blocks.length;
  for (let mcu = from; mcu < to; mcu++) {
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
    for (let i = 0; i < count; i++) {
      const part = blocks[i];
      const component = part.component;
      const dequant = part.dequant;

      let peek = (current << offset) | ((next >>> 1) >>> (31 - offset));
      let entry = part.dc.values[peek >>> (32 - VALUE_BITS)];
      let value = 0;
      if (entry !== 0 && (entry & LONG_ENTRY) === 0) {
        value = entry >> 16;
        offset += entry & 31;
      } else {
        const symbol = decodeSymbol(part.dc, peek);
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
      const dc = (component.predictor + value) | 0;
      component.predictor = dc;
      block[0] = Math.imul(dc, dequant[0]);

      const lastNeeded = wanted ? component.lastNeeded : 0;
      const zigzag = component.zigzag;
      const values = part.ac.values;
      let k = 1;
      let last = 0;
      while (k <= lastNeeded) {
        peek = (current << offset) | ((next >>> 1) >>> (31 - offset));
        entry = values[peek >>> (32 - VALUE_BITS)];
        if (entry !== 0 && (entry & LONG_ENTRY) === 0) {
          k += (entry >> 8) & 255;
          offset += entry & 31;
          block[zigzag[k]] += Math.imul(entry >> 16, dequant[k]);
        } else {
          const symbol = decodeSymbol(part.ac, peek);
          const length = symbol >> 8;
          const size = symbol & 15;
          const run = (symbol >> 4) & 15;
          offset += length + size;
          if (size === 0) k += run === 15 ? 15 : 128;
          else {
            value = (peek << length) >>> (32 - size);
            if (value < 1 << (size - 1)) value -= (1 << size) - 1;
            k += run;
            block[zigzag[k]] += Math.imul(value, dequant[k]);
          }
        }
        if (k < 64) last = k;
        k++;
        if (offset >= 32) {
          offset -= 32;
          current = next;
          next = words[++index];
        }
      }
      if (k < 64) {
        const skip = part.skip;
        do {
          peek = (current << offset) | ((next >>> 1) >>> (31 - offset));
          entry = skip[peek >>> (32 - SYMBOL_BITS)];
          // The last of the symbols passed over must begin inside the block.
          if (entry !== 0 && k + ((entry >> 8) & 255) < 64) {
            offset += entry & 63;
            k += entry >> 16;
          } else {
            const symbol = decodeSymbol(part.ac, peek);
            const size = symbol & 15;
            const run = (symbol >> 4) & 15;
            offset += (symbol >> 8) + size;
            k += size === 0 && run !== 15 ? 128 : run + 1;
          }
          if (offset >= 32) {
            offset -= 32;
            current = next;
            next = words[++index];
          }
        } while (k < 64);
      }
      if (k > 64 && k < 128) {
        throw new JpegError("corrupt", "A run of coefficients goes past the end of its block");
      }
      if (!wanted) continue;
      inverseDct(component, part.base + mcu * part.step, last);
    }
  }
  state[0] = current;
  state[1] = next;
  state[2] = offset;
  state[3] = index;
}
