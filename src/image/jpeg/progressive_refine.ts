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
    const oldLow = nonzero[2 * at];
    const oldHigh = nonzero[2 * at + 1];
    // Coefficients of the band that still wait for their correction bit.
    let waitingLow = oldLow & bandLow;
    let waitingHigh = oldHigh & bandHigh;
    let zerosLow = ~oldLow & bandLow;
    let zerosHigh = ~oldHigh & bandHigh;
    let newLow = oldLow;
    let newHigh = oldHigh;
    let open = endRun === 0;
    while (open) {
      const peek = (current << offset) | ((next >>> 1) >>> (31 - offset));
      const symbol = decodeSymbol(ac, peek);
      const length = symbol >> 8;
      const size = symbol & 15;
      let zeros = (symbol >> 4) & 15;
      let added = 0;
      offset += length;
      if (size !== 0) {
        if (size !== 1) throw new JpegError("corrupt", "A refinement scan codes more than one bit");
        added = peek << length < 0 ? step : -step;
        offset++;
      } else if (zeros < 15) {
        if (offset >= 32) {
          offset -= 32;
          current = next;
          next = words[++index];
        }
        endRun = 1;
        if (zeros > 0) {
          const bits = (current << offset) | ((next >>> 1) >>> (31 - offset));
          endRun = (1 << zeros) + (bits >>> (32 - zeros));
          offset += zeros;
          if (offset >= 32) {
            offset -= 32;
            current = next;
            next = words[++index];
          }
        }
        break;
      }
      if (offset >= 32) {
        offset -= 32;
        current = next;
        next = words[++index];
      }
      // The run counts zero coefficients only; all others up to its end get a correction bit.
      let passedLow = 0;
      let passedHigh = 0;
      let place = 64;
      while (zeros > 0 && zerosLow !== 0) {
        zerosLow &= zerosLow - 1;
        zeros--;
      }
      if (zerosLow !== 0) {
        const bit = zerosLow & -zerosLow;
        zerosLow ^= bit;
        place = 31 - Math.clz32(bit);
        passedLow = waitingLow & (bit - 1);
        waitingLow ^= passedLow;
      } else {
        while (zeros > 0 && zerosHigh !== 0) {
          zerosHigh &= zerosHigh - 1;
          zeros--;
        }
        passedLow = waitingLow;
        waitingLow = 0;
        if (zerosHigh !== 0) {
          const bit = zerosHigh & -zerosHigh;
          zerosHigh ^= bit;
          place = 63 - Math.clz32(bit);
          passedHigh = waitingHigh & (bit - 1);
          waitingHigh ^= passedHigh;
        } else throw new JpegError("corrupt", "A run of coefficients goes past its band");
      }
      if (passedLow !== 0) {
        if ((passedLow & storedLow) === 0) {
          offset += countBits(passedLow);
          if (offset >= 32) {
            offset -= 32;
            current = next;
            next = words[++index];
          }
        } else {
          while (passedLow !== 0) {
            const bit = passedLow & -passedLow;
            passedLow ^= bit;
            if (current << offset < 0) {
              const k = 31 - Math.clz32(bit);
              if (k < stored) {
                const value = coefficients[base + k];
                if ((value & step) === 0) {
                  coefficients[base + k] = value < 0 ? value - step : value + step;
                }
              }
            }
            if (++offset >= 32) {
              offset = 0;
              current = next;
              next = words[++index];
            }
          }
        }
      }
      if (passedHigh !== 0) {
        if (storedHigh === 0) {
          offset += countBits(passedHigh);
          if (offset >= 32) {
            offset -= 32;
            current = next;
            next = words[++index];
          }
        } else {
          while (passedHigh !== 0) {
            const bit = passedHigh & -passedHigh;
            passedHigh ^= bit;
            if (current << offset < 0) {
              const k = 63 - Math.clz32(bit);
              const value = coefficients[base + k];
              if ((value & step) === 0) {
                coefficients[base + k] = value < 0 ? value - step : value + step;
              }
            }
            if (++offset >= 32) {
              offset = 0;
              current = next;
              next = words[++index];
            }
          }
        }
      }
      if (added !== 0) {
        if (place < stored) coefficients[base + place] = added;
        if (place < 32) newLow |= 1 << place;
        else newHigh |= 1 << (place - 32);
      }
      open = (zerosLow | zerosHigh | waitingLow | waitingHigh) !== 0;
    }
    if (endRun > 0) {
      if (waitingLow !== 0) {
        if ((waitingLow & storedLow) === 0) {
          offset += countBits(waitingLow);
          if (offset >= 32) {
            offset -= 32;
            current = next;
            next = words[++index];
          }
        } else {
          while (waitingLow !== 0) {
            const bit = waitingLow & -waitingLow;
            waitingLow ^= bit;
            if (current << offset < 0) {
              const k = 31 - Math.clz32(bit);
              if (k < stored) {
                const value = coefficients[base + k];
                if ((value & step) === 0) {
                  coefficients[base + k] = value < 0 ? value - step : value + step;
                }
              }
            }
            if (++offset >= 32) {
              offset = 0;
              current = next;
              next = words[++index];
            }
          }
        }
      }
      if (waitingHigh !== 0) {
        if (storedHigh === 0) {
          offset += countBits(waitingHigh);
          if (offset >= 32) {
            offset -= 32;
            current = next;
            next = words[++index];
          }
        } else {
          while (waitingHigh !== 0) {
            const bit = waitingHigh & -waitingHigh;
            waitingHigh ^= bit;
            if (current << offset < 0) {
              const k = 63 - Math.clz32(bit);
              const value = coefficients[base + k];
              if ((value & step) === 0) {
                coefficients[base + k] = value < 0 ? value - step : value + step;
              }
            }
            if (++offset >= 32) {
              offset = 0;
              current = next;
              next = words[++index];
            }
          }
        }
      }
      endRun--;
    }
    nonzero[2 * at] = newLow;
    nonzero[2 * at + 1] = newHigh;
  }
  state[0] = current;
  state[1] = next;
  state[2] = offset;
  state[3] = index;
  return endRun;
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
