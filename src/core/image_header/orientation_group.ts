/**
 * The eight orientations as the symmetry group of the square.
 *
 * @module
 */

import type { Orientation } from "../image_facts.ts";

/** Stored (x right, y down, centred) to seen coordinates, row-major 2×2. Index 0 is orientation 1. */
const MATRICES: readonly (readonly [number, number, number, number])[] = [
  [1, 0, 0, 1],
  [-1, 0, 0, 1],
  [-1, 0, 0, -1],
  [1, 0, 0, -1],
  [0, 1, 1, 0],
  [0, -1, 1, 0],
  [0, -1, -1, 0],
  [0, 1, -1, 0],
];

/** The orientation that does `first` and after it `then`. */
export function composeOrientations(first: Orientation, then: Orientation): Orientation {
  const [a, b, c, d] = MATRICES[then - 1];
  const [e, f, g, h] = MATRICES[first - 1];
  const product = [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h];
  const index = MATRICES.findIndex((matrix) => matrix.every((value, i) => value === product[i]));
  return index + 1 as Orientation;
}

/** The orientation that undoes this one: 6 and 8 swap, the others undo themselves. */
export function invertOrientation(orientation: Orientation): Orientation {
  if (orientation === 6) return 8;
  return orientation === 8 ? 6 : orientation;
}
