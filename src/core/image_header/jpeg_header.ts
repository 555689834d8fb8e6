/**
 * JPEG: the frame header, orientation and profile (ITU-T T.81 annex B; ICC.1 annex B.4; Adobe TN 5116).
 *
 * @module
 */

import {
  buildImageFacts,
  type ColorModel,
  type ImageFacts,
  type Orientation,
} from "../image_facts.ts";
import { hasText, u16be } from "./byte_order.ts";
import { parseExifOrientation } from "./exif_orientation.ts";
import { type HeaderReader, truncated, undecodable } from "./header_reader.ts";
import { readJpegLineCount } from "./jpeg_line_count.ts";
import { locateIcc } from "./icc_profile.ts";

/** Most bytes of padding or garbage between two segments. */
const MAX_GAP_BYTES = 4_096;
/** Most segments before the first scan; the largest seen in the wild have some hundreds. */
const MAX_SEGMENTS = 20_000;
const COMMENT = 0xfe;
const ICC_SIGNATURE = "ICC_PROFILE\0";

/** Names by SOF marker, T.81 table B.1. */
const PROCESSES: Readonly<Record<number, string>> = {
  0xc0: "baseline",
  0xc1: "extended",
  0xc2: "progressive",
  0xc3: "lossless",
  0xc5: "hierarchical",
  0xc6: "hierarchical",
  0xc7: "hierarchical",
  0xc9: "arithmetic",
  0xca: "arithmetic-progressive",
  0xcb: "arithmetic-lossless",
  0xcd: "hierarchical",
  0xce: "hierarchical",
  0xcf: "hierarchical",
};

interface Frame {
  process: string;
  bitDepth: number;
  width: number;
  height: number;
  componentIds: number[];
}

/** What the segments before the first scan said. */
interface Segments {
  frame: Frame | null;
  orientation: Orientation | null;
  adobeTransform: number | null;
  jfif: boolean;
  icc: Map<number, { offset: number; length: number }>;
  iccCount: number;
}

/**
 * Reads the header up to the first scan. Frame markers inside segments are not seen, since segments
 * are stepped over by their length; a second frame header is refused.
 */
export async function parseJpegHeader(reader: HeaderReader): Promise<ImageFacts> {
  const seen: Segments = {
    frame: null,
    orientation: null,
    adobeTransform: null,
    jfif: false,
    icc: new Map(),
    iccCount: 0,
  };
  let at = 2;
  for (let segments = 0;; segments++) {
    if (segments > MAX_SEGMENTS) throw undecodable("The JPEG has too many segments");
    reader.step();
    const { marker, next } = await findMarker(reader, at);
    at = next;
    if (marker === 0xda) break;
    if (marker === 0xd8 || marker === 0xd9) throw undecodable("The JPEG has no scan");
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) continue;
    // A comment that is shorter than its own length field counts as empty, as in libjpeg.
    const shortest = marker === COMMENT ? 0 : 2;
    const length = u16be(await reader.load(at, 2), 0);
    if (length < shortest) throw undecodable("A JPEG segment has an impossible length");
    if (at + length > reader.size) throw truncated();
    await readSegment(reader, { marker, offset: at + 2, length: length - 2, seen });
    at += Math.max(2, length);
  }
  if (!seen.frame) throw undecodable("The JPEG has no frame header before its first scan");
  if (seen.frame.height === 0) seen.frame.height = await readJpegLineCount(reader, at);
  return await toFacts(reader, seen, seen.frame);
}

async function findMarker(
  reader: HeaderReader,
  from: number,
): Promise<{ marker: number; next: number }> {
  let afterFill = false;
  for (let at = from; at < from + MAX_GAP_BYTES; at++) {
    const byte = (reader.peek(at, 1) ?? await reader.load(at, 1))[0];
    if (afterFill && byte !== 0xff && byte !== 0) return { marker: byte, next: at + 1 };
    afterFill = byte === 0xff;
  }
  throw undecodable("The JPEG has no segment where one must be");
}

async function readSegment(
  reader: HeaderReader,
  segment: { marker: number; offset: number; length: number; seen: Segments },
): Promise<void> {
  const { marker, offset, length, seen } = segment;
  if (PROCESSES[marker] !== undefined) {
    if (seen.frame) throw undecodable("The JPEG has two frame headers");
    seen.frame = parseFrame(marker, await reader.load(offset, length));
  } else if (marker === 0xe0) {
    seen.jfif ||= hasText(await reader.load(offset, Math.min(length, 5)), 0, "JFIF\0");
  } else if (marker === 0xe1 && seen.orientation === null) {
    const data = await reader.load(offset, length);
    if (hasText(data, 0, "Exif\0")) seen.orientation = parseExifOrientation(data);
  } else if (marker === 0xe2 && length > 14) {
    const head = await reader.load(offset, 14);
    if (hasText(head, 0, ICC_SIGNATURE)) {
      // The first of two parts with one number counts; the count is the last one told.
      if (!seen.icc.has(head[12])) {
        seen.icc.set(head[12], { offset: offset + 14, length: length - 14 });
      }
      seen.iccCount = head[13];
    }
  } else if (marker === 0xee && length >= 12) {
    const data = await reader.load(offset, 12);
    if (hasText(data, 0, "Adobe")) seen.adobeTransform = data[11];
  }
}

function parseFrame(marker: number, data: Uint8Array): Frame {
  const components = data[5];
  if (data.length < 6 || components === 0 || data.length !== 6 + components * 3) {
    throw undecodable("The JPEG frame header has a wrong length");
  }
  const height = u16be(data, 1);
  const width = u16be(data, 3);
  if (width === 0) throw undecodable("The JPEG frame header says zero width");
  const componentIds: number[] = [];
  for (let i = 0; i < components; i++) componentIds.push(data[6 + i * 3]);
  return { process: PROCESSES[marker], bitDepth: data[0], width, height, componentIds };
}

async function toFacts(reader: HeaderReader, seen: Segments, frame: Frame): Promise<ImageFacts> {
  const parts = [];
  for (let i = 1; i <= seen.iccCount; i++) {
    const part = seen.icc.get(i);
    if (part) parts.push(part);
  }
  const complete = parts.length > 0 && parts.length === seen.iccCount;
  return buildImageFacts({
    format: "jpeg",
    width: frame.width,
    height: frame.height,
    orientation: seen.orientation ?? 1,
    bitDepth: frame.bitDepth,
    colorModel: jpegColorModel(seen, frame),
    progressive: frame.process === "progressive" || frame.process === "arithmetic-progressive",
    compression: frame.process,
  }, complete ? await locateIcc(reader, { parts }) : null);
}

/** Four components are YCCK when Adobe's marker names a transform; libjpeg guesses the same way. */
function jpegColorModel(seen: Segments, frame: Frame): ColorModel {
  switch (frame.componentIds.length) {
    case 1:
      return "gray";
    case 3:
      return "rgb";
    case 4:
      return seen.adobeTransform ? "ycck" : "cmyk";
    default:
      return "other";
  }
}
