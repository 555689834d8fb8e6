/**
 * The limits on an image's size, checked on its header before any pixel is decoded.
 *
 * @module
 */

import { AppError } from "../errors.ts";
import type { ImageFacts } from "./image_facts.ts";

/** Upper bounds of what is rendered. */
export interface ImageLimits {
  /** Most pixels of one picture, width × height. */
  readonly maxPixels: number;
  /** Most pixels along one side. */
  readonly maxSidePixels: number;
  /** Most pictures in one file. Only the first is rendered, so this is no sum of pixels. */
  readonly maxFrames: number;
}

/** 50 megapixels; sides that a JPEG could hold; 10,000 frames. */
export const DEFAULT_IMAGE_LIMITS: ImageLimits = {
  maxPixels: 50_000_000,
  maxSidePixels: 65_535,
  maxFrames: 10_000,
};

/**
 * Refuses an image that is over its budgets.
 *
 * Vector images (`svg`) have no pixels of their own and are rasterised at the target size, so the
 * pixel count does not bind them; their sides still do.
 *
 * @throws {AppError} `image_too_large` (pixels or a side), `image_budget_exceeded` (frames).
 */
export function checkImageBudgets(
  facts: Pick<ImageFacts, "format" | "width" | "height" | "frames">,
  limits: ImageLimits = DEFAULT_IMAGE_LIMITS,
): void {
  const { width, height } = facts;
  if (width > limits.maxSidePixels || height > limits.maxSidePixels) {
    throw new AppError(
      "image_too_large",
      `The image has a side of ${
        Math.max(width, height)
      } pixels; the limit is ${limits.maxSidePixels}`,
    );
  }
  if (facts.format !== "svg" && width * height > limits.maxPixels) {
    throw new AppError(
      "image_too_large",
      `The image has ${width}×${height} pixels; the limit is ${limits.maxPixels} in all`,
    );
  }
  if (facts.frames > limits.maxFrames) {
    throw new AppError(
      "image_budget_exceeded",
      `The image has more than ${limits.maxFrames} frames`,
    );
  }
}
