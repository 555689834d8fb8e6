/**
 * Which image format some first bytes claim to be, by their signature alone.
 *
 * @module
 */

import type { ImageFormat } from "../image_facts.ts";
import { hasText } from "./byte_order.ts";
import { isIsobmffImage } from "./isobmff_header.ts";
import { isSvg } from "./svg_header.ts";

/** A format, or the container that AVIF and HEIC share. */
export type ImageMagic = Exclude<ImageFormat, "avif" | "heic"> | "isobmff";

/** Tells the format from the signature; null when it is none of ours. */
export function imageMagic(head: Uint8Array): ImageMagic | null {
  if (hasText(head, 0, "\xff\xd8\xff")) return "jpeg";
  if (hasText(head, 0, "\x89PNG\r\n\x1a\n")) return "png";
  if (hasText(head, 0, "GIF87a") || hasText(head, 0, "GIF89a")) return "gif";
  if (hasText(head, 0, "RIFF") && hasText(head, 8, "WEBP")) return "webp";
  if (isTiff(head)) return "tiff";
  if (isBmp(head)) return "bmp";
  if (isIsobmffImage(head)) return "isobmff";
  return isSvg(head) ? "svg" : null;
}

/** Classic TIFF and BigTIFF, in both byte orders. */
function isTiff(head: Uint8Array): boolean {
  return ["II*\0", "MM\0*", "II+\0\x08\0\0\0", "MM\0+\0\x08\0\0"].some((magic) =>
    hasText(head, 0, magic)
  );
}

/** `BM` alone is too common a start: the header's own length must make sense too. */
function isBmp(head: Uint8Array): boolean {
  return hasText(head, 0, "BM") && head.length >= 18 && head[15] === 0 && head[16] === 0 &&
    head[17] === 0 && head[14] >= 12 && head[14] <= 124;
}
