/**
 * The plan of a render: everything that can be decided from a header and a spec, before any pixel.
 *
 * @module
 */

import type { ImageFacts } from "../core/image_facts.ts";
import { AppError } from "../errors.ts";
import { type FilterName, tapsReach } from "./filter_taps.ts";
import { orientSize, placeSource, type Rect, type Size, toStoredRect } from "./geometry.ts";
import { estimateRenderBytes } from "./memory_estimate.ts";
import type { OutputFormat, RenderSpec } from "./render_spec.ts";

/** The facts that a plan is made from. */
export type PlannedFacts = Pick<
  ImageFacts,
  "format" | "width" | "height" | "orientation" | "hasAlpha" | "progressive" | "bitDepth"
>;

/** The size of the decoded raster, each side rounded up, where that of the file is 1. */
export type DecodeScale = 1 | 0.75 | 0.625 | 0.5 | 0.375 | 0.25 | 0.125;

/** What a decoder is asked for. */
export interface DecodePlan {
  readonly scale: DecodeScale;
  /**
   * How soft a scaled decode should be: 1 (default) like a mean of pixels, 0 crisp, because the
   * filter after it hardly makes the picture smaller.
   */
  readonly softness?: number;
  /** The size of the raster it must deliver. Vector images are drawn at this size. */
  readonly raster: Size;
  /** The whole pixels of the raster that it must deliver: all, unless the decoder can crop. */
  readonly region: Rect;
}

/** What a decoder can do besides decoding. */
export interface DecoderTraits {
  /** The scales it offers, 1 among them. */
  readonly scales: readonly DecodeScale[];
  /** Whether it can deliver a region of the raster instead of all of it. */
  readonly crops: boolean;
}

/** One render, decided. Crop and target are in stored orientation: pixels are turned last. */
export interface RenderPlan {
  readonly decode: DecodePlan;
  /** Whole factors by which the raster is averaged down before the filter, in order. */
  readonly boxFactors: readonly number[];
  /** The part that is shown, in pixels of the delivered region after averaging. */
  readonly crop: Rect;
  readonly target: Size;
  readonly filter: FilterName;
  readonly orientation: PlannedFacts["orientation"];
  /** Size of the finished picture, upright; larger than the turned target only for `contain`. */
  readonly canvas: Size;
  /** An upper estimate of the memory the render takes beyond the process itself. */
  readonly estimatedBytes: number;
  /** Stored pixels of the source, in millions. */
  readonly megapixels: number;
}

/** Longest side that every output format can hold (VP8 has 14-bit sizes, RFC 6386 section 9.1). */
export const MAX_OUTPUT_SIDE_PIXELS = 16_383;
/** Most pixels of one variant: 4096 squared. */
export const MAX_OUTPUT_PIXELS = 16_777_216;

/**
 * The smallest factor that is left to the filter after averaging. libvips leaves 2 as well: what an
 * average of whole pixels blurs then lies beyond the filter's reach.
 */
const LEAST_FILTER_RATIO = 2;
/** Sums of 22 × 22 samples of 8 bits are the largest square that fits a 17-bit lane. */
const MAX_BOX_FACTOR = 22;

/**
 * How much a JPEG decoded at each scale must still be made smaller by the filter, at least.
 *
 * Shrinking in the decoder works on blocks of 8×8 and aliases a little where there is detail at the
 * scale of single pixels; the less the more the filter shrinks after it, and the less the more
 * coefficients of a block are used. Small pictures were mostly shrunk before and are full of such
 * detail, camera originals hold little (optics, colour mosaic). On photographs each step keeps 40 dB
 * against a decode at full size, and encoded pictures are within 1 dB of libvips's.
 */
const LEAST_REDUCTIONS: readonly {
  /** Applies to sources of at least so many megapixels. */
  readonly megapixels: number;
  readonly least: Readonly<Record<DecodeScale, number>>;
}[] = [
  {
    megapixels: 8,
    least: { 1: 0, 0.75: 1.1, 0.625: 1.1, 0.5: 1, 0.375: 1.1, 0.25: 1.25, 0.125: 1.125 },
  },
  {
    megapixels: 1,
    least: { 1: 0, 0.75: 1.125, 0.625: 1.125, 0.5: 1.125, 0.375: 1.2, 0.25: 1.25, 0.125: 1.125 },
  },
  {
    megapixels: 0,
    least: { 1: 0, 0.75: 1.5, 0.625: 1.5, 0.5: 1.5, 0.375: 1.5, 0.25: 1.25, 0.125: 1.125 },
  },
];

/**
 * Large pictures in files of fewer bits a pixel hold no detail that could alias: whatever is not
 * enlarged will do.
 */
const SMOOTH = { megapixels: 8, bitsPerPixel: 0.5 } as const;

/** Reductions by the filter from which on a decode may be as soft as a mean of pixels. */
const SOFT_REDUCTION = 1.35;

/** What decides a plan besides facts and spec. */
export interface PlanOptions {
  /** Length of the source file. */
  readonly sourceBytes: number;
  /** What the decoder of this format can do. */
  readonly decoder: DecoderTraits;
}

/**
 * Plans one render.
 *
 * @throws {AppError} `image_budget_exceeded` when the variant would be larger than any allowed.
 */
export function buildRenderPlan(
  facts: PlannedFacts,
  spec: RenderSpec,
  options: PlanOptions,
): RenderPlan {
  const { orientation } = facts;
  const upright = orientSize(facts, orientation);
  const placement = placeSource(upright, spec);
  checkOutput(placement.canvas);
  const target = orientSize(placement.target, orientation);
  const stored = toStoredRect(placement.crop, upright, orientation);
  const { scale, softness, raster, crop } = facts.format === "svg"
    ? drawAtTarget(facts, stored, target)
    : chooseScale(facts, stored, {
      target,
      scales: options.decoder.scales,
      sourceBytes: options.sourceBytes,
    });
  const ratio = Math.min(crop.width / target.width, crop.height / target.height);
  const boxFactors = chooseBoxFactors(ratio);
  // Nothing aliases when enlarging, and cubic rings less; libvips does the same.
  const filter: FilterName = ratio < 1 ? "cubic" : "lanczos3";
  const boxed = boxFactors.reduce((product, factor) => product * factor, 1);
  const region = options.decoder.crops
    ? findRegion(raster, divideRect(crop, boxed), { target, filter, boxed })
    : { x: 0, y: 0, ...raster };
  const decode = { scale, softness, raster, region };
  const delivered = { ...crop, x: crop.x - region.x, y: crop.y - region.y };
  const plan = {
    decode,
    boxFactors,
    crop: divideRect(delivered, boxed),
    target,
    filter,
    orientation,
    canvas: placement.canvas,
    megapixels: facts.width * facts.height / 1e6,
  } as const;
  return {
    ...plan,
    estimatedBytes: estimateRenderBytes({
      facts,
      decode,
      target,
      canvas: placement.canvas,
      format: spec.format,
      sourceBytes: options.sourceBytes,
    }),
  };
}

function checkOutput({ width, height }: Size): void {
  if (
    width > MAX_OUTPUT_SIDE_PIXELS || height > MAX_OUTPUT_SIDE_PIXELS ||
    width * height > MAX_OUTPUT_PIXELS
  ) {
    throw new AppError(
      "image_budget_exceeded",
      `The picture's shape would make a variant of ${width}×${height} pixels`,
    );
  }
}

interface Decoded {
  readonly scale: DecodeScale;
  readonly softness: number;
  readonly raster: Size;
  /** The shown part, in raster pixels. */
  readonly crop: Rect;
}

/** The coarsest scale that keeps the picture's quality. */
function chooseScale(
  facts: Size,
  stored: Rect,
  options: { target: Size; scales: readonly DecodeScale[]; sourceBytes: number },
): Decoded {
  const { target } = options;
  const ratio = Math.min(stored.width / target.width, stored.height / target.height);
  const pixels = facts.width * facts.height;
  const { least } = LEAST_REDUCTIONS.find((row) => pixels >= row.megapixels * 1e6) ??
    LEAST_REDUCTIONS[0];
  const smooth = pixels >= SMOOTH.megapixels * 1e6 &&
    options.sourceBytes * 8 < SMOOTH.bitsPerPixel * pixels;
  const scale = options.scales.reduce(
    (best, each) => each < best && ratio * each >= (smooth ? 1 : least[each]) ? each : best,
    1 as DecodeScale,
  );
  const softness = Math.max(0, Math.min(1, (ratio * scale - 1) / (SOFT_REDUCTION - 1)));
  const raster = { width: Math.ceil(facts.width * scale), height: Math.ceil(facts.height * scale) };
  return { scale, softness, raster, crop: divideRect(stored, 1 / scale) };
}

/** Vector images have no pixels yet: they are drawn at the size that needs no resampling. */
function drawAtTarget(facts: Size, stored: Rect, target: Size): Decoded {
  const across = target.width / stored.width;
  const down = target.height / stored.height;
  const raster = {
    width: Math.max(target.width, Math.round(facts.width * across)),
    height: Math.max(target.height, Math.round(facts.height * down)),
  };
  checkOutput(raster);
  const x = Math.min(raster.width - target.width, Math.round(stored.x * across));
  const y = Math.min(raster.height - target.height, Math.round(stored.y * down));
  return { scale: 1, softness: 1, raster, crop: { x, y, ...target } };
}

function chooseBoxFactors(ratio: number): number[] {
  const factors: number[] = [];
  for (let rest = ratio; rest >= 2 * LEAST_FILTER_RATIO;) {
    const factor = Math.min(MAX_BOX_FACTOR, Math.floor(rest / LEAST_FILTER_RATIO));
    factors.push(factor);
    rest /= factor;
  }
  return factors;
}

function divideRect(rect: Rect, by: number): Rect {
  return { x: rect.x / by, y: rect.y / by, width: rect.width / by, height: rect.height / by };
}

function findRegion(
  raster: Size,
  crop: Rect,
  options: { target: Size; filter: FilterName; boxed: number },
): Rect {
  const { target, filter, boxed } = options;
  const across = tapsReach({
    sourceLength: Math.ceil(raster.width / boxed),
    start: crop.x,
    length: crop.width,
    targetLength: target.width,
  }, filter);
  const down = tapsReach({
    sourceLength: Math.ceil(raster.height / boxed),
    start: crop.y,
    length: crop.height,
    targetLength: target.height,
  }, filter);
  const x = across.first * boxed;
  const y = down.first * boxed;
  return {
    x,
    y,
    width: Math.min(raster.width, across.end * boxed) - x,
    height: Math.min(raster.height, down.end * boxed) - y,
  };
}

/** Whether a format can hold transparency. */
export function keepsAlpha(format: OutputFormat): boolean {
  return format !== "jpg";
}
