import type { BitReader } from "./bit_reader.ts";
import type { Component } from "./component.ts";
import { decodeSymbol, type HuffmanTable } from "./huffman_table.ts";
import { JpegError } from "./jpeg_error.ts";
import type { Band, BlockRun } from "./progressive_scan.ts";

/**
 * Later scans of a band of AC coefficients (T.81 G.1.2.3): one correction bit for every
 * coefficient that is not zero yet, and new coefficients of ±1 in between.
 *
 * Works on the `nonzero` masks instead of on the coefficients: a run of zeros is found by clearing
 * bits, and the correction bits of coefficients that the scale does not need are passed over by
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
  const { words, state } = reader;
  const { coefficients, nonzero, coefficientCount: stored } = component;
  const step = 1 << band.low;
  const bandLow = bandMask(band, 0);
  const bandHigh = bandMask(band, 32);
  const storedLow = stored >= 32 ? -1 : (1 << stored) - 1;
  const storedHigh = stored > 32 ? -1 : 0;
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
    // Coefficients of the band that wait for their correction bit, and those that are zero.
    let waitingLow = low & bandLow;
    let waitingHigh = high & bandHigh;
    let zerosLow = ~low & bandLow;
    let zerosHigh = ~high & bandHigh;
    while ((zerosLow | zerosHigh | waitingLow | waitingHigh) !== 0) {
      // What the next symbol passes over, where it puts a coefficient, and which.
      let passedLow = waitingLow;
      let passedHigh = waitingHigh;
      let place = -1;
      let added = 0;
      if (endRun > 0) {
        endRun--;
        zerosLow = 0;
        zerosHigh = 0;
      } else {
        const peek = (current << offset) | ((next >>> 1) >>> (31 - offset));
        const symbol = decodeSymbol(ac, peek);
        const size = symbol & 15;
        let zeros = (symbol >> 4) & 15;
        offset += symbol >> 8;
        if (size !== 0) {
          if (size !== 1) throw new JpegError("corrupt", "A refinement codes more than one bit");
          added = peek << (symbol >> 8) < 0 ? step : -step;
          offset++;
        }
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
        for (; zeros > 0 && zerosLow !== 0; zeros--) zerosLow &= zerosLow - 1;
        if (zerosLow !== 0) {
          const bit = zerosLow & -zerosLow;
          zerosLow ^= bit;
          place = 31 - Math.clz32(bit);
          passedLow &= bit - 1;
          passedHigh = 0;
        } else {
          for (; zeros > 0 && zerosHigh !== 0; zeros--) zerosHigh &= zerosHigh - 1;
          if (zerosHigh === 0) {
            throw new JpegError("corrupt", "A run goes past the end of its band");
          }
          const bit = zerosHigh & -zerosHigh;
          zerosHigh ^= bit;
          place = 63 - Math.clz32(bit);
          passedHigh &= bit - 1;
        }
      }
      if (passedLow !== 0) {
        if ((passedLow & storedLow) !== 0) {
          const bits = (current << offset) | ((next >>> 1) >>> (31 - offset));
          correct(coefficients, base, { mask: passedLow, stored: storedLow, bits, step });
        }
        waitingLow ^= passedLow;
        offset += countBits(passedLow);
        if (offset >= 32) {
          offset -= 32;
          current = next;
          next = words[++index];
        }
      }
      if (passedHigh !== 0) {
        if (storedHigh !== 0) {
          const bits = (current << offset) | ((next >>> 1) >>> (31 - offset));
          correct(coefficients, base + 32, { mask: passedHigh, stored: storedHigh, bits, step });
        }
        waitingHigh ^= passedHigh;
        offset += countBits(passedHigh);
        if (offset >= 32) {
          offset -= 32;
          current = next;
          next = words[++index];
        }
      }
      if (added !== 0) {
        if (place < stored) coefficients[base + place] = added;
        if (place < 32) low |= 1 << place;
        else high |= 1 << (place - 32);
      }
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
  options: { mask: number; stored: number; bits: number; step: number },
): void {
  const { stored, step } = options;
  let { mask, bits } = options;
  for (; (mask & stored) !== 0; bits <<= 1) {
    const bit = mask & -mask;
    mask ^= bit;
    if (bits >= 0) continue;
    const at = base + 31 - Math.clz32(bit);
    const value = coefficients[at];
    // Only a corrupt scan corrects a bit that is already set.
    if ((value & step) === 0) coefficients[at] = value < 0 ? value - step : value + step;
  }
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
