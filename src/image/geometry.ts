/**
 * Where the pixels of a variant come from: sizes, crops and the way back through an orientation.
 *
 * @module
 */

import type { RenderSpec } from "./render_spec.ts";
import { type Orientation, swapsSides } from "../core/image_facts.ts";

/** A size in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A rectangle; edges may lie between pixels. */
export interface Rect extends Size {
  readonly x: number;
  readonly y: number;
}

/** How the upright source maps onto the upright variant. */
export interface Placement {
  /** The part of the upright source that is shown, in source pixels. */
  readonly crop: Rect;
  /** The size that part is resampled to. */
  readonly target: Size;
  /** The variant's size: larger than `target` only for `contain`. */
  readonly canvas: Size;
}

/**
 * Places an upright source of this size in the box of `spec`.
 *
 * A `cover` crop starts on a whole pixel of the scaled picture, halves rounding up, as libvips does
 * it: an off-centre crop of half an output pixel would blur every edge against the expected grid.
 */
export function placeSource(source: Size, spec: RenderSpec): Placement {
  const box = resolveBox(source, spec);
  const whole: Rect = { x: 0, y: 0, ...source };
  if (spec.fit !== "cover") {
    const target = fitInside(source, box);
    return { crop: whole, target, canvas: spec.fit === "contain" ? box : target };
  }
  const ratio = Math.min(source.width / box.width, source.height / box.height);
  const across = cropAxis(source.width, box.width, { ratio, focal: spec.focal.x });
  const down = cropAxis(source.height, box.height, { ratio, focal: spec.focal.y });
  const crop = { x: across.start, y: down.start, width: across.length, height: down.length };
  return { crop, target: box, canvas: box };
}

function resolveBox(source: Size, spec: RenderSpec): Size {
  const { width, height } = spec;
  if (width !== null && height !== null) return { width, height };
  if (width !== null) {
    return { width, height: atLeastOne(width * source.height / source.width) };
  }
  if (height !== null) {
    return { width: atLeastOne(height * source.width / source.height), height };
  }
  return source;
}

function fitInside(source: Size, box: Size): Size {
  const scale = Math.min(box.width / source.width, box.height / source.height);
  return {
    width: Math.min(box.width, atLeastOne(source.width * scale)),
    height: Math.min(box.height, atLeastOne(source.height * scale)),
  };
}

function atLeastOne(length: number): number {
  return Math.max(1, Math.round(length));
}

function cropAxis(
  source: number,
  target: number,
  options: { ratio: number; focal: number },
): { start: number; length: number } {
  const { ratio, focal } = options;
  const length = target * ratio;
  const scaled = Math.round(source / ratio);
  const spare = scaled - target;
  if (spare <= 0) return { start: Math.max(0, (source - length) / 2), length };
  const offset = Math.min(spare, Math.max(0, Math.round(focal * scaled - target / 2)));
  // `scaled` is rounded, so its pixel grid is centred over the source.
  const start = offset * ratio + (source - scaled * ratio) / 2;
  return { start: Math.min(source - length, Math.max(0, start)), length };
}

/** The rectangle of the stored picture that shows as `rect` once `orientation` is applied. */
export function toStoredRect(rect: Rect, upright: Size, orientation: Orientation): Rect {
  const { x, y, width, height } = rect;
  const right = upright.width - x - width;
  const below = upright.height - y - height;
  switch (orientation) {
    case 1:
      return rect;
    case 2:
      return { x: right, y, width, height };
    case 3:
      return { x: right, y: below, width, height };
    case 4:
      return { x, y: below, width, height };
    case 5:
      return { x: y, y: x, width: height, height: width };
    case 6:
      return { x: y, y: right, width: height, height: width };
    case 7:
      return { x: below, y: right, width: height, height: width };
    case 8:
      return { x: below, y: x, width: height, height: width };
  }
}

/** A size seen through an orientation: axes swapped for 5 to 8. Its own inverse. */
export function orientSize(size: Size, orientation: Orientation): Size {
  return swapsSides(orientation) ? { width: size.height, height: size.width } : size;
}
