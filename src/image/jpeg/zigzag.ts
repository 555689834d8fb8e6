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
