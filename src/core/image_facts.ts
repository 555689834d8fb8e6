/**
 * What the header of an image says: the facts that decide budgets, plans and metadata.
 *
 * The facts come from one parser only ({@linkcode ./image_header/probe_image.ts}), and every decoder
 * is held to them: a decoder that comes out with another size fails closed.
 *
 * @module
 */

/** The formats that the probe knows. */
export type ImageFormat =
  | "jpeg"
  | "png"
  | "gif"
  | "webp"
  | "tiff"
  | "bmp"
  | "avif"
  | "heic"
  | "svg";

/** The media type of each format (IANA registry; `image/bmp` RFC 7903, `image/webp` RFC 9649). */
export const IMAGE_MEDIA_TYPES: Readonly<Record<ImageFormat, string>> = {
  jpeg: "image/jpeg",
  png: "image/png",
  gif: "image/gif",
  webp: "image/webp",
  tiff: "image/tiff",
  bmp: "image/bmp",
  avif: "image/avif",
  heic: "image/heic",
  svg: "image/svg+xml",
};

/** How the stored samples mean colour. `rgb` includes YCbCr that decoders turn into RGB. */
export type ColorModel = "gray" | "rgb" | "palette" | "cmyk" | "ycck" | "lab" | "other";

/**
 * The EXIF orientation (TIFF 6.0 tag 274): how stored pixels turn into upright ones.
 * 1 as is, 2 mirrored, 3 turned 180°, 4 flipped, 5 transposed, 6 turned 90° clockwise,
 * 7 transversed, 8 turned 270° clockwise.
 */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

/** Where the ICC profile lies in the file, in the order in which its parts are joined. */
export interface IccLocation {
  readonly parts: readonly { readonly offset: number; readonly length: number }[];
  /** Whether the joined parts are one zlib stream (PNG iCCP). */
  readonly deflated: boolean;
  /** Size of the profile after any inflation. At most `ICC_LIMITS.profileBytes`. */
  readonly sizeBytes: number;
  /** The data colour space of the profile header, trimmed: `RGB`, `CMYK`, `GRAY`, `Lab`, … */
  readonly space: string;
}

/** The facts of one image. Plain data: it can be stored and posted to a worker. */
export interface ImageFacts {
  readonly format: ImageFormat;
  readonly mediaType: string;
  /** Pixels per row as stored, before orientation. Positive. */
  readonly width: number;
  /** Rows as stored, before orientation. Positive. */
  readonly height: number;
  /** Turn and mirror that a renderer has to apply to the stored pixels. */
  readonly orientation: Orientation;
  /** Width that a viewer sees. */
  readonly orientedWidth: number;
  /** Height that a viewer sees. */
  readonly orientedHeight: number;
  /** Pictures in the file, at least 1: GIF, APNG, WebP, AVIF frames or TIFF pages. Bounded. */
  readonly frames: number;
  /** Bits per sample as stored: 1 to 64. */
  readonly bitDepth: number;
  readonly colorModel: ColorModel;
  /** Whether some pixel may be transparent (an alpha channel or a transparent colour). */
  readonly hasAlpha: boolean;
  /** JPEG progressive, PNG Adam7 or GIF interlaced. */
  readonly progressive: boolean;
  /** The coding inside the format: `baseline`, `arithmetic`, `lossless`, `lzw`, `vp8`, … */
  readonly compression: string;
  /** The name in the profile's description tag; null without a (usable) profile or name. */
  readonly iccName: string | null;
  /** Null when there is no profile, or one that is malformed or over its budget. */
  readonly icc: IccLocation | null;
}

/** Whether an orientation swaps width and height. */
export function swapsSides(orientation: Orientation): boolean {
  return orientation >= 5;
}

/** Reads an orientation; anything but an integer from 1 to 8 counts as 1 (upright). */
export function toOrientation(value: number): Orientation {
  return Number.isInteger(value) && value >= 1 && value <= 8 ? value as Orientation : 1;
}

/** The facts that a format parser has to find; the rest follows from them. */
export type StoredFacts =
  & Pick<ImageFacts, "format" | "width" | "height" | "bitDepth" | "colorModel" | "compression">
  & Partial<Pick<ImageFacts, "orientation" | "frames" | "hasAlpha" | "progressive">>;

/** Completes what a parser found with media type, oriented size and defaults. */
export function buildImageFacts(
  stored: StoredFacts,
  profile: { icc: IccLocation; iccName: string | null } | null = null,
): ImageFacts {
  const orientation = stored.orientation ?? 1;
  const swapped = swapsSides(orientation);
  return {
    format: stored.format,
    mediaType: IMAGE_MEDIA_TYPES[stored.format],
    width: stored.width,
    height: stored.height,
    orientation,
    orientedWidth: swapped ? stored.height : stored.width,
    orientedHeight: swapped ? stored.width : stored.height,
    frames: stored.frames ?? 1,
    bitDepth: stored.bitDepth,
    colorModel: stored.colorModel,
    hasAlpha: stored.hasAlpha ?? false,
    progressive: stored.progressive ?? false,
    compression: stored.compression,
    iccName: profile?.iccName ?? null,
    icc: profile?.icc ?? null,
  };
}
