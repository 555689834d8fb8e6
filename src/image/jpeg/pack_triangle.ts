/**
 * Chroma interpolation and packing in one pass, for the common 4:2:2 and 4:2:0 pictures. The
 * results equal those of `upsample.ts` followed by `packThree`.
 *
 * Both chroma samples travel in one integer, `cb | cr << 16`: the filters need 12 bits a channel,
 * so one multiplication and addition serve two.
 */
import type { Component } from "./component.ts";
import { LANE2, type PackTarget, type SampleLine } from "./pack_row.ts";

// V8 takes a constant that only its module can see as one, and loads others for every pixel.
const TOP_LANE = LANE2;

/** The two chroma components, which have the same geometry. */
export interface ChromaPair {
  readonly cb: Component;
  readonly cr: Component;
}

/** Where the sample row nearest to an output row lies in the planes, and the one beyond it. */
export interface ChromaRows {
  readonly near: number;
  /** Equal to `near` when there is no interpolation down. */
  readonly far: number;
}

/**
 * Packs `target.count` pixels from output column `x` on; chroma has half the columns (4:2:2).
 * Rounds as libjpeg's h2v1_fancy_upsample.
 */
export function packTriangleH(
  target: PackTarget,
  luma: SampleLine,
  chroma: { pair: ChromaPair; rows: ChromaRows; x: number },
): void {
  const { pixels, at, count } = target;
  const { bytes, at: lumaAt } = luma;
  const { pair: { cb: { plane: cb, width }, cr: { plane: cr } }, rows: { near }, x } = chroma;
  const last = width - 1;
  let i = 0;
  let sample = x >> 1;
  let here = cb[near + sample] | (cr[near + sample] << 16);
  let before = sample > 0 ? cb[near + sample - 1] | (cr[near + sample - 1] << 16) : here;
  if (x & 1) {
    const next = Math.min(sample + 1, last);
    const after = cb[near + next] | (cr[near + next] << 16);
    const right = (Math.imul(3, here) + after + 0x20002) | 0;
    pixels[at] = (bytes[lumaAt] | ((right & 0x3fc) << 15)) + (right >>> 18) * TOP_LANE;
    before = here;
    here = after;
    i = 1;
    sample++;
  }
  for (; i + 1 < count; i += 2) {
    const next = sample < last ? sample + 1 : last;
    const after = cb[near + next] | (cr[near + next] << 16);
    const left = (Math.imul(3, here) + before + 0x10001) | 0;
    const right = (Math.imul(3, here) + after + 0x20002) | 0;
    pixels[at + i] = (bytes[lumaAt + i] | ((left & 0x3fc) << 15)) + (left >>> 18) * TOP_LANE;
    pixels[at + i + 1] = (bytes[lumaAt + i + 1] | ((right & 0x3fc) << 15)) +
      (right >>> 18) * TOP_LANE;
    before = here;
    here = after;
    sample++;
  }
  if (i < count) {
    const left = (Math.imul(3, here) + before + 0x10001) | 0;
    pixels[at + i] = (bytes[lumaAt + i] | ((left & 0x3fc) << 15)) + (left >>> 18) * TOP_LANE;
  }
}

/**
 * Packs `target.count` pixels from output column `x` on; chroma has half the columns and half the
 * rows (4:2:0). Rounds as libjpeg's h2v2_fancy_upsample.
 */
export function packTriangleHv(
  target: PackTarget,
  luma: SampleLine,
  chroma: { pair: ChromaPair; rows: ChromaRows; x: number },
): void {
  const { pixels, at, count } = target;
  const { bytes, at: lumaAt } = luma;
  const { pair: { cb: { plane: cb, width }, cr: { plane: cr } }, rows: { near, far }, x } = chroma;
  const last = width - 1;
  let i = 0;
  let sample = x >> 1;
  let here = columnSum(cb, cr, near + sample, far + sample);
  let before = sample > 0 ? columnSum(cb, cr, near + sample - 1, far + sample - 1) : here;
  if (x & 1) {
    const next = Math.min(sample + 1, last);
    const after = columnSum(cb, cr, near + next, far + next);
    const right = (Math.imul(3, here) + after + 0x70007) | 0;
    pixels[at] = (bytes[lumaAt] | ((right & 0xff0) << 13)) + (right >>> 20) * TOP_LANE;
    before = here;
    here = after;
    i = 1;
    sample++;
  }
  for (; i + 1 < count; i += 2) {
    const next = sample < last ? sample + 1 : last;
    const after = columnSum(cb, cr, near + next, far + next);
    const left = (Math.imul(3, here) + before + 0x80008) | 0;
    const right = (Math.imul(3, here) + after + 0x70007) | 0;
    pixels[at + i] = (bytes[lumaAt + i] | ((left & 0xff0) << 13)) + (left >>> 20) * TOP_LANE;
    pixels[at + i + 1] = (bytes[lumaAt + i + 1] | ((right & 0xff0) << 13)) +
      (right >>> 20) * TOP_LANE;
    before = here;
    here = after;
    sample++;
  }
  if (i < count) {
    const left = (Math.imul(3, here) + before + 0x80008) | 0;
    pixels[at + i] = (bytes[lumaAt + i] | ((left & 0xff0) << 13)) + (left >>> 20) * TOP_LANE;
  }
}

function columnSum(cb: Uint8Array, cr: Uint8Array, near: number, far: number): number {
  return (Math.imul(3, cb[near] | (cr[near] << 16)) + (cb[far] | (cr[far] << 16))) | 0;
}
