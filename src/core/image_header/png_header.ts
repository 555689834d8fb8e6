/**
 * PNG and APNG: header, orientation and profile (W3C PNG third edition, section 11).
 *
 * Chunks are read up to the first IDAT: iCCP, tRNS, acTL and eXIf all have to come before it.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import {
  buildImageFacts,
  type ColorModel,
  type ImageFacts,
  type Orientation,
} from "../image_facts.ts";
import { latin1, u32be } from "./byte_order.ts";
import { parseExifOrientation } from "./exif_orientation.ts";
import { type HeaderReader, PROBE_LIMITS, undecodable, unsupported } from "./header_reader.ts";
import { locateIcc } from "./icc_profile.ts";

/** Most chunks before the image data. */
const MAX_CHUNKS = 20_000;
/** A frame of an APNG takes an fcTL chunk at the least. */
const FRAME_BYTES = 38;
/** Largest eXIf chunk that is read for its orientation. */
const MAX_EXIF_BYTES = 1 << 20;
/** The keyword of iCCP has at most 79 bytes, then NUL and the method. */
const MAX_ICCP_HEAD_BYTES = 81;

const COLOR_MODELS: Readonly<Record<number, { model: ColorModel; depths: readonly number[] }>> = {
  0: { model: "gray", depths: [1, 2, 4, 8, 16] },
  2: { model: "rgb", depths: [8, 16] },
  3: { model: "palette", depths: [1, 2, 4, 8] },
  4: { model: "gray", depths: [8, 16] },
  6: { model: "rgb", depths: [8, 16] },
};

interface Ancillary {
  transparent: boolean;
  frames: number;
  orientation: Orientation;
  profile: Awaited<ReturnType<typeof locateIcc>>;
}

/** Reads the chunks before the image data. */
export async function parsePngHeader(reader: HeaderReader): Promise<ImageFacts> {
  const header = await parseIhdr(reader);
  const found: Ancillary = { transparent: false, frames: 1, orientation: 1, profile: null };
  let at = 33;
  for (let chunks = 0;; chunks++) {
    if (chunks > MAX_CHUNKS) throw undecodable("The PNG has too many chunks");
    reader.step();
    const head = reader.peek(at, 8) ?? await reader.load(at, 8);
    const length = u32be(head, 0);
    const type = latin1(head, 4, 4);
    if (length > 0x7fffffff) throw undecodable("A PNG chunk has an impossible length");
    if (type === "IDAT") break;
    if (type === "IEND") throw undecodable("The PNG has no image data");
    await readChunk(reader, { type, offset: at + 8, length, found });
    at += 12 + length;
  }
  return buildImageFacts({
    format: "png",
    ...header,
    hasAlpha: header.hasAlpha || found.transparent,
    frames: found.frames,
    orientation: found.orientation,
    compression: "deflate",
  }, found.profile);
}

async function parseIhdr(reader: HeaderReader) {
  const ihdr = await reader.load(8, 25);
  if (latin1(ihdr, 4, 4) === "CgBI") throw unsupported("Apple's CgBI PNG is not supported");
  if (u32be(ihdr, 0) !== 13 || latin1(ihdr, 4, 4) !== "IHDR") {
    throw undecodable("The PNG does not begin with its header");
  }
  if (crc32(ihdr.subarray(4, 21)) !== u32be(ihdr, 21)) {
    throw undecodable("The PNG header has a wrong checksum");
  }
  const width = u32be(ihdr, 8);
  const height = u32be(ihdr, 12);
  if (width === 0 || height === 0 || width > 0x7fffffff || height > 0x7fffffff) {
    throw undecodable("The PNG header has an impossible size");
  }
  const [bitDepth, colorType, compression, filter, interlace] = ihdr.subarray(16, 21);
  const color = COLOR_MODELS[colorType];
  if (!color || !color.depths.includes(bitDepth) || compression || filter || interlace > 1) {
    throw undecodable("The PNG header has an impossible pixel format");
  }
  return {
    width,
    height,
    bitDepth,
    colorModel: color.model,
    hasAlpha: colorType >= 4,
    progressive: interlace === 1,
  };
}

async function readChunk(
  reader: HeaderReader,
  chunk: { type: string; offset: number; length: number; found: Ancillary },
): Promise<void> {
  const { type, offset, length, found } = chunk;
  if (type === "tRNS") {
    found.transparent = length > 0;
  } else if (type === "acTL" && length === 8) {
    const frames = u32be(await reader.load(offset, 4), 0);
    // A count that the file has no room for is a lie: viewers show the default image.
    const plausible = frames * FRAME_BYTES <= reader.size;
    found.frames = plausible ? Math.max(1, Math.min(frames, PROBE_LIMITS.frames)) : 1;
  } else if (type === "eXIf" && length <= MAX_EXIF_BYTES && offset + length <= reader.size) {
    found.orientation = parseExifOrientation(await reader.load(offset, length));
  } else if (type === "iCCP" && !found.profile) {
    const head = await reader.loadSome(offset, Math.min(length, MAX_ICCP_HEAD_BYTES));
    const end = head.indexOf(0);
    if (end < 0 || head[end + 1] !== 0) return;
    const part = { offset: offset + end + 2, length: length - end - 2 };
    if (part.length > 0) found.profile = await locateIcc(reader, { parts: [part], deflated: true });
  }
}
