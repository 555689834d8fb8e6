import type { Component } from "./component.ts";

/**
 * How the samples of a component become one value per output pixel. The triangle filters are
 * libjpeg's "fancy upsampling" (jdsample.c): 3/4 of the nearer sample and 1/4 of the farther one.
 */
export type UpsampleKind =
  /** One sample per pixel across; rows are repeated. */
  | "direct"
  /** Two pixels per sample across, triangle. */
  | "triangle-h"
  /** Two pixels per sample down, triangle. */
  | "triangle-v"
  /** Two pixels per sample both ways, triangle. */
  | "triangle-hv"
  /** Any other ratio: the nearest sample. */
  | "nearest";

/** Picks the way to upsample; `smooth` allows the triangle filters, as libjpeg applies them. */
export function chooseUpsampling(component: Component, smooth: boolean): UpsampleKind {
  const { hNum, hDen, vNum, vDen, width } = component;
  const hDouble = hNum === 2 && hDen === 1;
  const vDouble = vNum === 2 && vDen === 1;
  const hSame = hNum === hDen;
  const vSame = vNum === vDen;
  if (smooth && hDouble && vSame && width > 2) return "triangle-h";
  if (smooth && hSame && vDouble) return "triangle-v";
  if (smooth && hDouble && vDouble && width > 2) return "triangle-hv";
  return hSame ? "direct" : "nearest";
}

/** Whether the kind looks at the sample row above or below the nearest one. */
export function needsNeighbourRow(kind: UpsampleKind): boolean {
  return kind === "triangle-v" || kind === "triangle-hv";
}

/** Which pixels of a line to make: `count` pixels from `x` on. */
export interface PixelSpan {
  readonly x: number;
  readonly count: number;
}

/** Repeats samples across by the ratio of the component (1:1 included). */
export function upsampleNearest(
  component: Component,
  row: number,
  options: { span: PixelSpan; line: Uint8Array },
): void {
  const { span: { x, count }, line } = options;
  const { plane, hNum, hDen, width } = component;
  if (hNum === 2 && hDen === 1) {
    for (let i = 0; i < count; i++) line[i] = plane[row + ((x + i) >> 1)];
    return;
  }
  const lastSample = width - 1;
  for (let i = 0; i < count; i++) {
    const sample = Math.floor(((x + i) * hDen) / hNum);
    line[i] = plane[row + (sample < lastSample ? sample : lastSample)];
  }
}

/** Triangle filter across: h2v1_fancy_upsample of jdsample.c. */
export function upsampleTriangleH(
  component: Component,
  row: number,
  options: { span: PixelSpan; line: Uint8Array },
): void {
  const { span: { x, count }, line } = options;
  const { plane, width } = component;
  const lastSample = width - 1;
  for (let i = 0; i < count; i++) {
    const near = (x + i) >> 1;
    if ((x + i) & 1) {
      const far = near < lastSample ? near + 1 : near;
      line[i] = (3 * plane[row + near] + plane[row + far] + 2) >> 2;
    } else {
      const far = near > 0 ? near - 1 : near;
      line[i] = (3 * plane[row + near] + plane[row + far] + 1) >> 2;
    }
  }
}

/** Triangle filter down: h1v2_fancy_upsample of jdsample.c. `below` says where `farRow` lies. */
export function upsampleTriangleV(
  component: Component,
  rows: { near: number; far: number; below: boolean },
  options: { span: PixelSpan; line: Uint8Array },
): void {
  const { span: { x, count }, line } = options;
  const { plane } = component;
  const near = rows.near + x;
  const far = rows.far + x;
  const bias = rows.below ? 2 : 1;
  for (let i = 0; i < count; i++) {
    line[i] = (3 * plane[near + i] + plane[far + i] + bias) >> 2;
  }
}

/** Triangle filter both ways: h2v2_fancy_upsample of jdsample.c. */
export function upsampleTriangleHv(
  component: Component,
  rows: { near: number; far: number },
  options: { span: PixelSpan; line: Uint8Array },
): void {
  const { span: { x, count }, line } = options;
  const { plane, width } = component;
  const { near, far } = rows;
  const lastSample = width - 1;
  for (let i = 0; i < count; i++) {
    const here = (x + i) >> 1;
    const sum = 3 * plane[near + here] + plane[far + here];
    if ((x + i) & 1) {
      const there = here < lastSample ? here + 1 : here;
      line[i] = (3 * sum + 3 * plane[near + there] + plane[far + there] + 7) >> 4;
    } else {
      const there = here > 0 ? here - 1 : here;
      line[i] = (3 * sum + 3 * plane[near + there] + plane[far + there] + 8) >> 4;
    }
  }
}
