/**
 * Undoing the row filters of PNG (W3C PNG third edition, section 9).
 *
 * @module
 */

import { AppError } from "../../errors.ts";

/**
 * Undoes one row's filter in place.
 *
 * @param row The row's bytes without the filter type.
 * @param options.type The filter type byte, 0–4.
 * @param options.above The finished row above; zeros for the first row of a pass. Same length.
 * @param options.step Bytes per whole pixel, at least 1.
 * @throws {AppError} `image_undecodable` for an unknown filter type.
 */
export function unfilterRow(
  row: Uint8Array,
  options: { type: number; above: Uint8Array; step: number },
): void {
  const { type, above, step } = options;
  if (type === 0) return;
  if (type === 1) addLeft(row, step);
  else if (type === 2) addAbove(row, above);
  else if (type === 3) addAverage(row, above, step);
  else if (type === 4) addPaeth(row, above, step);
  else throw new AppError("image_undecodable", "The PNG has a row with an unknown filter");
}

function addLeft(row: Uint8Array, step: number): void {
  for (let i = step; i < row.length; i++) row[i] += row[i - step];
}

function addAbove(row: Uint8Array, above: Uint8Array): void {
  for (let i = 0; i < row.length; i++) row[i] += above[i];
}

function addAverage(row: Uint8Array, above: Uint8Array, step: number): void {
  for (let i = 0; i < step && i < row.length; i++) row[i] += above[i] >> 1;
  for (let i = step; i < row.length; i++) row[i] += (row[i - step] + above[i]) >> 1;
}

/**
 * What Paeth predicts (section 9.4), without branches: they would be taken at random. `corner * 3 -
 * (left + up)` is at least the larger neighbour exactly where the smaller one is the nearest, and at
 * most the smaller one where the larger is.
 */
function predictPaeth(left: number, up: number, corner: number): number {
  const bound = corner * 3 - (left + up);
  const difference = left - up;
  const negative = difference & (difference >> 31);
  const low = up + negative;
  const high = left - negative;
  const lowOrCorner = low ^ ((low ^ corner) & ((bound - high) >> 31));
  return high ^ ((high ^ lowOrCorner) & ((low - bound) >> 31));
}

function addPaeth(row: Uint8Array, above: Uint8Array, step: number): void {
  if (step === 3) return addPaeth3(row, above);
  if (step === 4) return addPaeth4(row, above);
  for (let channel = 0; channel < step; channel++) addPaethChannel(row, above, { channel, step });
}

function addPaethChannel(
  row: Uint8Array,
  above: Uint8Array,
  { channel, step }: { channel: number; step: number },
): void {
  let left = 0;
  let corner = 0;
  for (let i = channel; i < row.length; i += step) {
    const up = above[i];
    left = (row[i] + predictPaeth(left, up, corner)) & 255;
    row[i] = left;
    corner = up;
  }
}

/** Each prediction waits for the one before: three channels at a time keep the processor busy. */
function addPaeth3(row: Uint8Array, above: Uint8Array): void {
  let left0 = 0, left1 = 0, left2 = 0;
  let corner0 = 0, corner1 = 0, corner2 = 0;
  for (let i = 0; i + 2 < row.length; i += 3) {
    const up0 = above[i], up1 = above[i + 1], up2 = above[i + 2];
    left0 = (row[i] + predictPaeth(left0, up0, corner0)) & 255;
    left1 = (row[i + 1] + predictPaeth(left1, up1, corner1)) & 255;
    left2 = (row[i + 2] + predictPaeth(left2, up2, corner2)) & 255;
    row[i] = left0;
    row[i + 1] = left1;
    row[i + 2] = left2;
    corner0 = up0;
    corner1 = up1;
    corner2 = up2;
  }
}

/** As `addPaeth3`, two channels at a time: four would not fit the registers. */
function addPaeth4(row: Uint8Array, above: Uint8Array): void {
  for (let channel = 0; channel < 4; channel += 2) {
    let left0 = 0, left1 = 0;
    let corner0 = 0, corner1 = 0;
    for (let i = channel; i + 1 < row.length; i += 4) {
      const up0 = above[i], up1 = above[i + 1];
      left0 = (row[i] + predictPaeth(left0, up0, corner0)) & 255;
      left1 = (row[i + 1] + predictPaeth(left1, up1, corner1)) & 255;
      row[i] = left0;
      row[i + 1] = left1;
      corner0 = up0;
      corner1 = up1;
    }
  }
}
