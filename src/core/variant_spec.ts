/**
 * The name of a variant: the part of its URL after the content hash.
 *
 * ```text
 * variant = size "/" quality "." format
 * size    = width "x" height            cover: fills the box, crops what is over    640x480
 *         | width "x" height "-contain" letterbox: the whole picture, padded        640x480-contain
 *         | width "x" height "-inside"  as large as fits the box, nothing added     640x480-inside
 *         | width "x"                   that width, height by the aspect ratio      640x
 *         | "x" height                  that height, width by the aspect ratio      x480
 * format  = "webp" | "jpg" | "png" | "avif", as far as the deployment makes them
 * ```
 *
 * Numbers are decimal without sign or leading zeros. A variant has one spelling: a default is never
 * written (`-cover` is malformed), options come in one order, and {@linkcode formatVariantSpec} is
 * the exact inverse of {@linkcode parseVariantSpec}. Nothing outside the path takes part, so the set
 * of variants that an allow-list admits is finite and can be listed
 * ({@linkcode enumerateVariants}). The focal point is stored with the asset, not spelled in the URL.
 *
 * @module
 */
import { AppError } from "../errors.ts";

/** How the picture meets its box. `width` and `height` are the one-sided sizes. */
export type VariantFit = "cover" | "contain" | "inside" | "width" | "height";

/** File formats a variant can have; the names are the URL's extensions. */
export type VariantFormat = "webp" | "jpg" | "png" | "avif";

/** The media type of each format. */
export const VARIANT_MEDIA_TYPES: Readonly<Record<VariantFormat, string>> = {
  webp: "image/webp",
  jpg: "image/jpeg",
  png: "image/png",
  avif: "image/avif",
};

/** The formats of a deployment that configures none. */
export const DEFAULT_FORMATS: readonly VariantFormat[] = ["webp", "jpg", "png"];

/** Smallest edge of a box, in pixels. */
export const MIN_EDGE_PIXELS = 10;
/** Largest edge of a box, in pixels; no signature goes beyond it. */
export const MAX_EDGE_PIXELS = 4096;
/** Lowest quality. */
export const MIN_QUALITY = 10;
/** Highest quality. */
export const MAX_QUALITY = 100;

/** Longest spelling looked at: `4096x4096-contain/100.webp` has 26 characters. */
const MAX_SPEC_LENGTH = 40;

/** One variant of any asset. Canonical: equal specs have equal spellings and the other way round. */
export interface VariantSpec {
  readonly fit: VariantFit;
  /** Width of the box in pixels; null exactly when `fit` is `height`. */
  readonly width: number | null;
  /** Height of the box in pixels; null exactly when `fit` is `width`. */
  readonly height: number | null;
  /** {@linkcode MIN_QUALITY} to {@linkcode MAX_QUALITY}. */
  readonly quality: number;
  readonly format: VariantFormat;
}

/** A size without quality and format: what a preset or an `auto` URL names. */
export type VariantSize = Pick<VariantSpec, "fit" | "width" | "height">;

/** A size and a quality: what a preset names. */
export interface VariantPreset extends VariantSize {
  readonly quality: number;
}

/** The variants that need no signature: every combination of the lists, and the presets. */
export interface VariantAllowList {
  /** Allowed widths of boxes, ascending. */
  readonly widths: readonly number[];
  /** Allowed heights of boxes, ascending. */
  readonly heights: readonly number[];
  /** Allowed qualities, ascending. */
  readonly qualities: readonly number[];
  /** The formats that the deployment makes; not even a signature gets another. */
  readonly formats: readonly VariantFormat[];
  readonly fits: readonly VariantFit[];
  /** Allowed besides, in every format. */
  readonly presets: readonly VariantPreset[];
}

/** The allow-list of a deployment that configures none. */
export const DEFAULT_ALLOW_LIST: VariantAllowList = {
  widths: [320, 640, 1024, 1920],
  heights: [240, 480, 768, 1080],
  qualities: [50, 60, 70, 75, 80, 85, 90, 95],
  formats: DEFAULT_FORMATS,
  fits: ["cover", "contain", "inside", "width", "height"],
  presets: [],
};

const SIZE = /^(?:([1-9]\d{0,4}|0)?x([1-9]\d{0,4}|0)?)(-contain|-inside)?$/;
const FILE = /^([1-9]\d{0,4}|0)\.([a-z0-9]+)$/;

/**
 * Parses `{size}/{quality}.{format}`, the part of a variant URL after the hash.
 *
 * @param formats The formats that the deployment makes; any other is no format at all.
 * @throws {AppError} `malformed_variant` when it is not a spelling of the grammar,
 * `variant_out_of_range` when a number is outside the hard limits.
 */
export function parseVariantSpec(
  path: string,
  formats: readonly VariantFormat[] = DEFAULT_FORMATS,
): VariantSpec {
  const slash = path.indexOf("/");
  if (path.length > MAX_SPEC_LENGTH || slash < 0) throw malformed();
  const size = parseVariantSize(path.slice(0, slash));
  const file = FILE.exec(path.slice(slash + 1));
  if (!file || !isVariantFormat(file[2]) || !formats.includes(file[2])) throw malformed();
  return { ...size, quality: parseQuality(file[1]), format: file[2] };
}

/**
 * Parses the size segment alone, such as `640x480`, `x480` or `640x480-inside`.
 *
 * @throws {AppError} `malformed_variant` or `variant_out_of_range`, as {@linkcode parseVariantSpec}.
 */
export function parseVariantSize(text: string): VariantSize {
  const match = text.length > MAX_SPEC_LENGTH ? null : SIZE.exec(text);
  if (!match) throw malformed();
  const [, width, height, suffix] = match;
  if (width !== undefined && height !== undefined) {
    const fit = suffix === undefined ? "cover" : suffix.slice(1) as "contain" | "inside";
    return { fit, width: parseEdge(width), height: parseEdge(height) };
  }
  if (suffix !== undefined) throw malformed();
  if (width !== undefined) return { fit: "width", width: parseEdge(width), height: null };
  if (height !== undefined) return { fit: "height", width: null, height: parseEdge(height) };
  throw malformed();
}

/**
 * Parses a quality in its one spelling.
 *
 * @throws {AppError} `malformed_variant` or `variant_out_of_range`.
 */
export function parseQuality(text: string): number {
  if (!/^(?:[1-9]\d{0,4}|0)$/.test(text)) throw malformed();
  const quality = Number(text);
  if (quality < MIN_QUALITY || quality > MAX_QUALITY) {
    throw new AppError(
      "variant_out_of_range",
      `The quality must be from ${MIN_QUALITY} to ${MAX_QUALITY}`,
    );
  }
  return quality;
}

/** Whether `text` names a format of variants. */
export function isVariantFormat(text: string): text is VariantFormat {
  return Object.hasOwn(VARIANT_MEDIA_TYPES, text);
}

/** Spells a size: the inverse of {@linkcode parseVariantSize}. */
export function formatVariantSize(size: VariantSize): string {
  const suffix = size.fit === "contain" || size.fit === "inside" ? `-${size.fit}` : "";
  return `${size.width ?? ""}x${size.height ?? ""}${suffix}`;
}

/** Spells a variant: the inverse of {@linkcode parseVariantSpec}. */
export function formatVariantSpec(spec: VariantSpec): string {
  return `${formatVariantSize(spec)}/${spec.quality}.${spec.format}`;
}

/** Whether an allow-list admits the variant. */
export function isAllowedVariant(spec: VariantSpec, allowed: VariantAllowList): boolean {
  return allowed.formats.includes(spec.format) &&
    (isOnLists(spec, allowed) || allowed.presets.some((preset) => isSameImage(preset, spec)));
}

function isOnLists(spec: VariantPreset, allowed: VariantAllowList): boolean {
  return allowed.fits.includes(spec.fit) && allowed.qualities.includes(spec.quality) &&
    (spec.width === null || allowed.widths.includes(spec.width)) &&
    (spec.height === null || allowed.heights.includes(spec.height));
}

function isSameImage(a: VariantPreset, b: VariantPreset): boolean {
  return a.fit === b.fit && a.width === b.width && a.height === b.height &&
    a.quality === b.quality;
}

/**
 * Lets an allowed variant pass.
 *
 * @throws {AppError} `variant_not_allowed`; its problem extension `nearest` spells the closest
 * allowed variant, so that a caller can correct the URL.
 */
export function checkAllowedVariant(spec: VariantSpec, allowed: VariantAllowList): void {
  if (isAllowedVariant(spec, allowed)) return;
  const nearest = findNearestVariant(spec, allowed);
  throw new AppError("variant_not_allowed", "This variant is not on the allow-list", {
    extensions: nearest ? { nearest: formatVariantSpec(nearest) } : {},
  });
}

/** The allowed variant closest to `spec`; null when the lists admit none at all. */
export function findNearestVariant(
  spec: VariantSpec,
  allowed: VariantAllowList,
): VariantSpec | null {
  const fit = allowed.fits.includes(spec.fit) ? spec.fit : allowed.fits[0];
  const format = allowed.formats.includes(spec.format) ? spec.format : allowed.formats[0];
  const quality = nearestNumber(spec.quality, allowed.qualities);
  const width = fit === "height" ? null : nearestNumber(spec.width ?? spec.height!, allowed.widths);
  const height = fit === "width"
    ? null
    : nearestNumber(spec.height ?? spec.width!, allowed.heights);
  if (fit === undefined || format === undefined || quality === undefined) return null;
  if (width === undefined || height === undefined) return null;
  return { fit, width, height, quality, format };
}

/** Lists every variant that an allow-list admits, each once, the presets last. */
export function* enumerateVariants(allowed: VariantAllowList): Generator<VariantSpec> {
  for (const size of enumerateSizes(allowed)) {
    for (const format of allowed.formats) {
      for (const quality of allowed.qualities) yield { ...size, quality, format };
    }
  }
  for (const [index, { fit, width, height, quality }] of allowed.presets.entries()) {
    const preset = { fit, width, height, quality };
    const earlier = allowed.presets.slice(0, index);
    if (isOnLists(preset, allowed) || earlier.some((other) => isSameImage(other, preset))) continue;
    for (const format of allowed.formats) yield { ...preset, format };
  }
}

/** Lists every size of an allow-list, the presets' left out. */
export function* enumerateSizes(allowed: VariantAllowList): Generator<VariantSize> {
  for (const fit of allowed.fits) {
    const widths = fit === "height" ? [null] : allowed.widths;
    const heights = fit === "width" ? [null] : allowed.heights;
    for (const width of widths) {
      for (const height of heights) yield { fit, width, height };
    }
  }
}

function parseEdge(text: string): number {
  const edge = Number(text);
  if (edge < MIN_EDGE_PIXELS || edge > MAX_EDGE_PIXELS) {
    throw new AppError(
      "variant_out_of_range",
      `Width and height must be from ${MIN_EDGE_PIXELS} to ${MAX_EDGE_PIXELS} pixels`,
    );
  }
  return edge;
}

/** Nearest by ratio, since sizes are perceived by ratio; the larger one on a tie. */
function nearestNumber(wanted: number, list: readonly number[]): number | undefined {
  let best: number | undefined;
  for (const candidate of list) {
    if (best === undefined || ratio(candidate, wanted) <= ratio(best, wanted)) best = candidate;
  }
  return best;
}

function ratio(a: number, b: number): number {
  return a > b ? a / b : b / a;
}

function malformed(): AppError {
  return new AppError(
    "malformed_variant",
    "A variant is spelled {width}x{height}/{quality}.{format}, in decimal without leading zeros",
  );
}
