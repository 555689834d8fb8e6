/**
 * Row-major position of each coefficient in zigzag order (ITU-T T.81, figure A.6).
 */
export const ZIGZAG: Uint8Array = buildZigzag();

/** Where coefficients that a reduced transform does not use are written: one slot past the block. */
export const UNUSED_SLOT = 64;

/**
 * Length of zigzag maps and dequantisation tables. An end-of-block advances the coefficient index
 * by 128 and a corrupt run by up to 15, so the entropy decoder may look up any index below 256
 * before it checks it.
 */
export const PADDED_LENGTH = 256;

/**
 * The zigzag map for a `size`×`size` reduced inverse transform: coefficients outside the low
 * `size`×`size` corner, and indexes past 63, go to `UNUSED_SLOT`.
 */
export function buildReducedZigzag(size: number): Uint8Array {
  const map = new Uint8Array(PADDED_LENGTH).fill(UNUSED_SLOT);
  for (let k = 0; k < 64; k++) {
    if ((ZIGZAG[k] & 7) < size && (ZIGZAG[k] >> 3) < size) map[k] = ZIGZAG[k];
  }
  return map;
}

/** Index in zigzag order of the last coefficient that a `size`×`size` transform uses. */
export function lastNeededCoefficient(size: number): number {
  return ZIGZAG.indexOf((size - 1) * 9);
}

function buildZigzag(): Uint8Array {
  const order = new Uint8Array(64);
  let row = 0;
  let column = 0;
  for (let k = 0; k < 64; k++) {
    order[k] = row * 8 + column;
    if ((row + column) & 1) {
      if (row === 7) column++;
      else if (column === 0) row++;
      else {
        row++;
        column--;
      }
    } else if (column === 7) row++;
    else if (row === 0) column++;
    else {
      row--;
      column++;
    }
  }
  return order;
}
