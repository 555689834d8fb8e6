/**
 * Inks as RGB by the profile of their press.
 *
 * The profile's table is resampled once onto a grid of sRGB values; each pixel then costs the five
 * corners of one simplex of that grid (J. Kasson, "Performing color space conversions with
 * three-dimensional linear interpolation", J. Electronic Imaging 4(3), 1995, in four dimensions).
 *
 * @module
 */

import { LANE1, LANE2 } from "../strip.ts";
import { type CmykTable, evaluateCurve, parseCmykTable } from "./cmyk_table.ts";
import { type Lab, labToSrgb, lightnessToY } from "./lab_to_srgb.ts";

/** Mixes inks. */
export interface InkMixer {
  /** R, G and B of four amounts of ink, 0–255 each, packed as in `strip.ts`. */
  mix(cyan: number, magenta: number, yellow: number, black: number): number;
}

/** Points a side: 255 = 15 × 17, so that whole amounts of ink fall on simple fractions. */
const POINTS = 16;
const STEP = 255 / (POINTS - 1);
/** Distance of neighbouring nodes in the grid, for cyan to black, in values. */
const STRIDES = [POINTS ** 3 * 3, POINTS ** 2 * 3, POINTS * 3, 3] as const;

/** Makes a mixer out of a CMYK profile; null when it has no table that can be read. */
export function createInkMixer(icc: Uint8Array): InkMixer | null {
  const table = parseCmykTable(icc);
  if (table === null) return null;
  const nodes = resample(table);
  const order = new Int32Array(4);
  const fractions = new Float64Array(4);
  return {
    mix(cyan, magenta, yellow, black) {
      let at = 0;
      for (let i = 0; i < 4; i++) {
        const amount = (i === 0 ? cyan : i === 1 ? magenta : i === 2 ? yellow : black) / STEP;
        const cell = Math.min(POINTS - 2, Math.floor(amount));
        fractions[i] = amount - cell;
        at += cell * STRIDES[i];
      }
      sortDescending(fractions, order);
      let before = 1;
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let i = 0; i <= 4; i++) {
        const next = i < 4 ? fractions[order[i]] : 0;
        const weight = before - next;
        red += nodes[at] * weight;
        green += nodes[at + 1] * weight;
        blue += nodes[at + 2] * weight;
        before = next;
        if (i < 4) at += STRIDES[order[i]];
      }
      return Math.round(red) + Math.round(green) * LANE1 + Math.round(blue) * LANE2;
    },
  };
}

/** Insertion sort of four positions by their values. */
function sortDescending(values: Float64Array, order: Int32Array): void {
  for (let i = 0; i < 4; i++) {
    let to = i;
    while (to > 0 && values[order[to - 1]] < values[i]) {
      order[to] = order[to - 1];
      to--;
    }
    order[to] = i;
  }
}

function resample(table: CmykTable): Float32Array {
  const nodes = new Float32Array(POINTS ** 4 * 3);
  // Every ink takes one of few amounts: its curve is looked up once for each.
  const amounts = table.inputCurves.map((curve) =>
    Array.from({ length: POINTS }, (_, i) => evaluateCurve(curve, i / (POINTS - 1)))
  );
  const rgb = new Float32Array(3);
  const blackY = findBlack(table);
  for (let i = 0, to = 0; i < POINTS ** 4; i++, to += 3) {
    const inks = [
      amounts[0][Math.floor(i / POINTS ** 3)],
      amounts[1][Math.floor(i / POINTS ** 2) % POINTS],
      amounts[2][Math.floor(i / POINTS) % POINTS],
      amounts[3][i % POINTS],
    ];
    labToSrgb(readLab(table, inks), rgb, blackY);
    nodes.set(rgb, to);
  }
  return nodes;
}

/** Lightness beyond which the darkest ink is no black, but a profile of something else. */
const MAX_BLACK_LIGHTNESS = 50;

/** The luminance of all inks together, taken as neutral: the press's black. */
function findBlack(table: CmykTable): number {
  const inks = table.inputCurves.map((curve) => evaluateCurve(curve, 1));
  return lightnessToY(Math.min(MAX_BLACK_LIGHTNESS, readLab(table, inks).lightness));
}

function readLab(table: CmykTable, inks: readonly number[]): Lab {
  const { outputCurves, lightnessScale, chromaScale } = table;
  const values = new Float32Array(3);
  interpolate(table, inks, values);
  return {
    lightness: evaluateCurve(outputCurves[0], values[0]) * lightnessScale,
    a: evaluateCurve(outputCurves[1], values[1]) * chromaScale - 128,
    b: evaluateCurve(outputCurves[2], values[2]) * chromaScale - 128,
  };
}

/** All sixteen corners of the cell around `inks`. */
function interpolate(table: CmykTable, inks: readonly number[], out: Float32Array): void {
  const { gridPoints, grid } = table;
  const cells = inks.map((ink) => Math.min(gridPoints - 2, Math.floor(ink * (gridPoints - 1))));
  const fractions = inks.map((ink, i) => ink * (gridPoints - 1) - cells[i]);
  out.fill(0);
  for (let corner = 0; corner < 16; corner++) {
    let weight = 1;
    let at = 0;
    for (let i = 0; i < 4; i++) {
      const far = corner >> i & 1;
      weight *= far ? fractions[i] : 1 - fractions[i];
      at = at * gridPoints + cells[i] + far;
    }
    for (let c = 0; c < 3; c++) out[c] += grid[at * 3 + c] * weight;
  }
}
