/**
 * What a render is asked to make, as a plain value.
 *
 * @module
 */

/** The formats a variant can be written in. */
export type OutputFormat = "webp" | "jpg" | "png" | "avif";

/**
 * How the picture meets the box: `cover` fills it and crops the rest, `contain` fits inside and
 * pads to the exact size, `inside` fits inside and keeps the smaller size.
 */
export type FitMode = "cover" | "contain" | "inside";

/** A point of the upright picture, both axes 0 (left, top) to 1 (right, bottom). */
export interface FocalPoint {
  readonly x: number;
  readonly y: number;
}

/** One variant of an image. A missing edge follows from the picture's aspect ratio. */
export interface RenderSpec {
  /** Pixels, or null to derive it from `height`. Not both null. */
  readonly width: number | null;
  /** Pixels, or null to derive it from `width`. */
  readonly height: number | null;
  readonly fit: FitMode;
  /** The point that a `cover` crop keeps nearest to the middle. */
  readonly focal: FocalPoint;
  /** 10–100; ignored by png. */
  readonly quality: number;
  readonly format: OutputFormat;
}

/** The middle of the picture: the default focal point. */
export const CENTRE: FocalPoint = { x: 0.5, y: 0.5 };

/** The media type of every output format. */
export const OUTPUT_MEDIA_TYPES: Readonly<Record<OutputFormat, string>> = {
  webp: "image/webp",
  jpg: "image/jpeg",
  png: "image/png",
  avif: "image/avif",
};
