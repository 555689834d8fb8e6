/**
 * WebP: the three bitstream headers, frames, orientation and profile (RFC 9649).
 *
 * @module
 */

import { buildImageFacts, type ImageFacts, type Orientation } from "../image_facts.ts";
import { latin1, u16le, u24le, u32le } from "./byte_order.ts";
import { parseExifOrientation } from "./exif_orientation.ts";
import { type HeaderReader, PROBE_LIMITS, truncated, undecodable } from "./header_reader.ts";
import { locateIcc } from "./icc_profile.ts";

/** Most chunks of a still image, and largest EXIF chunk that is read. */
const MAX_CHUNKS = 20_000;
const MAX_EXIF_BYTES = 1 << 20;

interface Bitstream {
  width: number;
  height: number;
  hasAlpha: boolean;
  compression: "vp8" | "vp8l";
}

interface Extended {
  image: Bitstream | null;
  frames: number;
  hasAlphaChunk: boolean;
  orientation: Orientation;
  profile: Awaited<ReturnType<typeof locateIcc>>;
}

/** Reads the first chunk and, in the extended layout, walks the rest. */
export async function parseWebpHeader(reader: HeaderReader): Promise<ImageFacts> {
  const head = await reader.load(12, 8);
  const type = latin1(head, 0, 4);
  if (type !== "VP8X") {
    const image = await parseBitstream(reader, { type, offset: 20, length: u32le(head, 4) });
    if (!image) throw undecodable("The WebP begins with an unknown chunk");
    return buildImageFacts({ format: "webp", bitDepth: 8, colorModel: "rgb", ...image });
  }
  const vp8x = await reader.load(20, 10);
  const flags = vp8x[0];
  const width = u24le(vp8x, 4) + 1;
  const height = u24le(vp8x, 7) + 1;
  const animated = (flags & 0x02) !== 0;
  const found = await walkChunks(reader, 20 + padded(u32le(head, 4)));
  if (!found.image && found.frames === 0) throw undecodable("The WebP has no image data");
  if (!animated && (found.image?.width !== width || found.image.height !== height)) {
    throw undecodable("The WebP canvas and its image have different sizes");
  }
  return buildImageFacts({
    format: "webp",
    width,
    height,
    frames: Math.max(1, found.frames),
    bitDepth: 8,
    colorModel: "rgb",
    hasAlpha: (flags & 0x10) !== 0 || found.hasAlphaChunk || (found.image?.hasAlpha ?? false),
    orientation: found.orientation,
    compression: found.image?.compression ?? "vp8",
  }, found.profile);
}

function padded(length: number): number {
  return length + (length & 1);
}

/** A chunk that is cut off ends the walk: what came before it counts. */
async function walkChunks(reader: HeaderReader, from: number): Promise<Extended> {
  const found: Extended = {
    image: null,
    frames: 0,
    hasAlphaChunk: false,
    orientation: 1,
    profile: null,
  };
  let at = from;
  for (let chunks = 0; at + 8 <= reader.size; chunks++) {
    if (chunks > MAX_CHUNKS && found.frames === 0) {
      throw undecodable("The WebP has too many chunks");
    }
    if (found.frames >= PROBE_LIMITS.frames) break;
    reader.step();
    const head = reader.peek(at, 8) ?? await reader.load(at, 8);
    const length = u32le(head, 4);
    await readChunk(reader, { type: latin1(head, 0, 4), offset: at + 8, length, found });
    at += 8 + padded(length);
  }
  return found;
}

async function readChunk(
  reader: HeaderReader,
  chunk: { type: string; offset: number; length: number; found: Extended },
): Promise<void> {
  const { type, offset, length, found } = chunk;
  if (type === "ANMF") {
    found.frames++;
  } else if (type === "ALPH") {
    found.hasAlphaChunk = true;
  } else if (type === "ICCP") {
    found.profile ??= await locateIcc(reader, { parts: [{ offset, length }] });
  } else if (type === "EXIF" && length <= MAX_EXIF_BYTES && offset + length <= reader.size) {
    found.orientation = parseExifOrientation(await reader.load(offset, length));
  } else if (type === "VP8 " || type === "VP8L") {
    found.image ??= await parseBitstream(reader, chunk);
  }
}

async function parseBitstream(
  reader: HeaderReader,
  chunk: { type: string; offset: number; length: number },
): Promise<Bitstream | null> {
  const { type, offset, length } = chunk;
  if (type !== "VP8 " && type !== "VP8L") return null;
  if (length < 10 && !(type === "VP8L" && length >= 5)) throw truncated();
  if (type === "VP8 ") {
    const head = await reader.load(offset, 10);
    const keyFrame = (head[0] & 1) === 0;
    if (!keyFrame || head[3] !== 0x9d || head[4] !== 0x01 || head[5] !== 0x2a) {
      throw undecodable("The WebP has a broken VP8 header");
    }
    const width = u16le(head, 6) & 0x3fff;
    const height = u16le(head, 8) & 0x3fff;
    if (width === 0 || height === 0) throw undecodable("The WebP has an impossible size");
    return { width, height, hasAlpha: false, compression: "vp8" };
  }
  const head = await reader.load(offset, 5);
  const bits = u32le(head, 1);
  if (head[0] !== 0x2f || bits >>> 29 !== 0) {
    throw undecodable("The WebP has a broken VP8L header");
  }
  return {
    width: (bits & 0x3fff) + 1,
    height: (bits >>> 14 & 0x3fff) + 1,
    hasAlpha: (bits >>> 28 & 1) === 1,
    compression: "vp8l",
  };
}
