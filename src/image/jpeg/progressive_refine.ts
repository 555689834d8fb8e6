import type { BitReader } from "./bit_reader.ts";
import type { Component } from "./component.ts";
import { decodeSymbol, type HuffmanTable, SYMBOL_BITS } from "./huffman_table.ts";
import { JpegError } from "./jpeg_error.ts";
import type { Band, BlockRun } from "./progressive_scan.ts";

/**
 * Later scans of a band of AC coefficients (T.81 G.1.2.3): one correction bit for every
 * coefficient that is not zero yet, and new coefficients of ±1 in between.
 *
 * Works on the `nonzero` masks instead of on the coefficients: where a run of zeros ends comes from
 * a table, and the correction bits of coefficients that the scale does not need are passed over by
 * counting them. Returns the end-of-band run that is left, like `decodeAcFirst`.
 *
 * One long function, because the reader's state must stay in locals: spilling it once a symbol
 * costs a third of the speed.
 */
export function decodeAcRefine(
  reader: BitReader,
  part: { component: Component; ac: HuffmanTable },
  options: { run: BlockRun; band: Band; endRun: number },
): number {
  const { component, ac } = part;
  const { run, band } = options;
  const { first, last } = band;
  const { words, state } = reader;
  const { coefficients, nonzero, coefficientCount: stored } = component;
  const symbols = ac.symbols;
  const step = 1 << band.low;
  const bandLow = bandMask(band, 0);
  const bandHigh = bandMask(band, 32);
  const storedLow = maskBelow(stored);
  const storedHigh = maskBelow(stored - 32);
  let endRun = options.endRun;
  let limit = reader.limit;
  let current = state[0];
  let next = state[1];
  let offset = state[2];
  let index = state[3];
  const line = run.row * component.blocksPerLine;
  for (let x = run.from; x < run.to; x++) {
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
    let low = nonzero[2 * at];
    let high = nonzero[2 * at + 1];
    let k = first;
    while (k <= last) {
      // What the next symbol passes over ends before `end`, where it puts a coefficient.
      let end = last + 1;
      let passed = 0;
      let added = 0;
      if (endRun > 0) {
        endRun--;
        if ((low | high) !== 0) {
          passed = k < 32
            ? countBits(low & bandLow & (-1 << k)) + countBits(high & bandHigh)
            : countBits(high & bandHigh & (-1 << (k - 32)));
        }
      } else {
        const peek = (current << offset) | ((next >>> 1) >>> (31 - offset));
        const symbol = symbols[peek >>> (32 - SYMBOL_BITS)] || decodeSymbol(ac, peek);
        const size = symbol & 15;
        const zeros = (symbol >> 4) & 15;
        if (size > 1) throw new JpegError("corrupt", "A refinement codes more than one bit");
        // A set bit means plus (T.81 G.1.2.3); without a branch, because signs cannot be predicted.
        const minus = ~((peek << (symbol >> 8)) >> 31);
        added = ((step ^ minus) - minus) & -size;
        offset += (symbol >> 8) + size;
        if (offset >= 32) {
          offset -= 32;
          current = next;
          next = words[++index];
        }
        if (size === 0 && zeros < 15) {
          endRun = 1 << zeros;
          if (zeros > 0) {
            const bits = (current << offset) | ((next >>> 1) >>> (31 - offset));
            endRun += bits >>> (32 - zeros);
            offset += zeros;
            if (offset >= 32) {
              offset -= 32;
              current = next;
              next = words[++index];
            }
          }
          continue;
        }
        // The run counts zero coefficients only; the others on its way get a correction bit.
        const ahead = k < 32 ? (low >>> k) | ((high << 1) << (31 - k)) : high >>> (k - 32);
        let length = zeros < 8 ? RUN_ENDS[((ahead & 255) << 3) | zeros] : BEYOND;
        if (length === BEYOND) length = findRunEnd(zeros, ahead, k < 32 ? high >>> k : 0);
        end = k + length;
        passed = length - zeros;
        if (end > last) throw new JpegError("corrupt", "A run goes past the end of its band");
      }
      if (passed > 0 && k >= stored) {
        offset += passed;
        while (offset >= 32) {
          offset -= 32;
          current = next;
          next = words[++index];
        }
      } else if (passed > 0) {
        const passedLow = k < 32 ? low & (-1 << k) & (end < 32 ? (1 << end) - 1 : -1) : 0;
        if (passedLow !== 0) {
          const bits = (current << offset) | ((next >>> 1) >>> (31 - offset));
          correct(coefficients, base, { mask: passedLow & storedLow, bits, step });
          offset += countBits(passedLow);
          if (offset >= 32) {
            offset -= 32;
            current = next;
            next = words[++index];
          }
        }
        const passedHigh = end <= 32
          ? 0
          : high & (k > 32 ? -1 << (k - 32) : -1) & (end < 64 ? (1 << (end - 32)) - 1 : -1);
        if (passedHigh !== 0) {
          const bits = (current << offset) | ((next >>> 1) >>> (31 - offset));
          correct(coefficients, base + 32, { mask: passedHigh & storedHigh, bits, step });
          offset += countBits(passedHigh);
          if (offset >= 32) {
            offset -= 32;
            current = next;
            next = words[++index];
          }
        }
      }
      if (added !== 0) {
        if (end < stored) coefficients[base + end] = added;
        if (end < 32) low |= 1 << end;
        else high |= 1 << (end - 32);
      }
      k = end + 1;
    }
    nonzero[2 * at] = low;
    nonzero[2 * at + 1] = high;
  }
  state[0] = current;
  state[1] = next;
  state[2] = offset;
  state[3] = index;
  return endRun;
}

/** Applies one correction bit, from the top of `bits`, to every coefficient of `mask`. */
function correct(
  coefficients: Int16Array,
  base: number,
  { mask, bits, step }: { mask: number; bits: number; step: number },
): void {
  for (; mask !== 0; bits <<= 1) {
    const bit = mask & -mask;
    mask ^= bit;
    if (bits >= 0) continue;
    const at = base + 31 - Math.clz32(bit);
    const value = coefficients[at];
    // Only a corrupt scan corrects a bit that is already set.
    if ((value & step) === 0) coefficients[at] = value < 0 ? value - step : value + step;
  }
}

/** In `RUN_ENDS`: the run ends beyond the eight coefficients of the index. */
const BEYOND = 255;

/**
 * Where the zero after a run of zeros lies, which is where a coefficient is added. Indexed by
 * `flags << 3 | zeros`, where bit i of the flags says that the i-th coefficient from here is not
 * zero.
 */
const RUN_ENDS = buildRunEnds();

function buildRunEnds(): Uint8Array {
  const ends = new Uint8Array(256 * 8).fill(BEYOND);
  for (let flags = 0; flags < 256; flags++) {
    for (let i = 0, zeros = 0; i < 8; i++) {
      if (((flags >> i) & 1) === 0) ends[(flags << 3) | zeros++] = i;
    }
  }
  return ends;
}

/** The same for any run of up to 15 zeros, with the flags of 64 coefficients. */
function findRunEnd(zeros: number, flags: number, moreFlags: number): number {
  for (let end = zeros; end < 32;) {
    const grown = zeros + countBits(flags & ((2 << end) - 1));
    if (grown === end) return end;
    end = grown;
  }
  let left = zeros - (32 - countBits(flags));
  let end = 32;
  for (; left > 0 || ((moreFlags >>> (end - 32)) & 1) !== 0; end++) {
    if (end === 63) return 64;
    if (((moreFlags >>> (end - 32)) & 1) === 0) left--;
  }
  return end;
}

/** The lowest `count` of 32 bits; none when it is negative. */
export function maskBelow(count: number): number {
  return count >= 32 ? -1 : count <= 0 ? 0 : (1 << count) - 1;
}

/** The bits of coefficients `shift` to `shift + 31` that belong to the band. */
function bandMask(band: Band, shift: number): number {
  let mask = 0;
  for (let k = Math.max(band.first, shift); k <= Math.min(band.last, shift + 31); k++) {
    mask |= 1 << (k - shift);
  }
  return mask;
}

function countBits(mask: number): number {
  let bits = mask - ((mask >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
