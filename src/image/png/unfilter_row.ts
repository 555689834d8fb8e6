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

/** Channel by channel, so that the left and upper-left neighbours stay in registers. */
function addPaeth(row: Uint8Array, above: Uint8Array, step: number): void {
  for (let channel = 0; channel < step; channel++) {
    let left = 0;
    let corner = 0;
    for (let i = channel; i < row.length; i += step) {
      const up = above[i];
      const towardsUp = up - corner;
      const towardsLeft = left - corner;
      const farLeft = Math.abs(towardsUp);
      const farUp = Math.abs(towardsLeft);
      const farCorner = Math.abs(towardsUp + towardsLeft);
      const nearest = farLeft <= farUp && farLeft <= farCorner
        ? left
        : farUp <= farCorner
        ? up
        : corner;
      left = (row[i] + nearest) & 255;
      row[i] = left;
      corner = up;
    }
  }
}
