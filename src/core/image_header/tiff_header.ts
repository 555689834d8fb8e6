/**
 * TIFF: the first directory and the number of pages (TIFF 6.0; BigTIFF is refused).
 *
 * @module
 */

import {
  buildImageFacts,
  type ColorModel,
  type ImageFacts,
  toOrientation,
} from "../image_facts.ts";
import { hasText, u16be, u16le, u32be, u32le } from "./byte_order.ts";
import { type HeaderReader, undecodable, unsupported } from "./header_reader.ts";
import { locateIcc } from "./icc_profile.ts";
import { hasCode } from "../../errors.ts";

/** Most entries of one directory and most directories; the chain may hold loops. */
const MAX_ENTRIES = 4_096;
const MAX_PAGES = 10_000;

const TAG = {
  subfileType: 254,
  width: 256,
  height: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  orientation: 274,
  samplesPerPixel: 277,
  extraSamples: 338,
  iccProfile: 34675,
} as const;
const WANTED = new Set<number>(Object.values(TAG));

/** Bytes of one value by field type; integers only, and 7 (undefined) for the profile. */
const TYPE_BYTES: Readonly<Record<number, number>> = { 1: 1, 3: 2, 4: 4, 7: 1 };

/** Names of common compressions (TIFF 6.0 and the registry of its tag 259). */
const COMPRESSIONS: Readonly<Record<number, string>> = {
  1: "none",
  2: "ccitt-rle",
  3: "ccitt-fax3",
  4: "ccitt-fax4",
  5: "lzw",
  6: "old-jpeg",
  7: "jpeg",
  8: "deflate",
  32773: "packbits",
  32946: "deflate",
  34712: "jpeg2000",
  34925: "lzma",
  50000: "zstd",
  50001: "webp",
};

/** TIFF 6.0 section 8 and supplements: photometric interpretation. */
const PHOTOMETRICS: Readonly<Record<number, ColorModel>> = {
  0: "gray",
  1: "gray",
  2: "rgb",
  3: "palette",
  4: "gray",
  5: "cmyk",
  6: "rgb",
  8: "lab",
  9: "lab",
  10: "lab",
};

interface Entry {
  type: number;
  count: number;
  /** Where the values lie: in the entry itself when they fit into four bytes. */
  offset: number;
}

interface Directory {
  entries: Map<number, Entry>;
  /** Offset of the next directory, 0 at the end. */
  next: number;
}

/** Reads the first directory, then follows the chain of directories to count the pages. */
export async function parseTiffHeader(reader: HeaderReader): Promise<ImageFacts> {
  const head = await reader.load(0, 8);
  const little = hasText(head, 0, "II");
  const u16 = little ? u16le : u16be;
  const u32 = little ? u32le : u32be;
  if (u16(head, 2) === 43) throw unsupported("BigTIFF is not supported");
  const order = { u16, u32 };
  const firstOffset = u32(head, 4);
  const first = await readDirectory(reader, firstOffset, order);
  const value = (tag: number, missing: number) => readValue(reader, first, { tag, missing, order });

  const width = await value(TAG.width, 0);
  const height = await value(TAG.height, 0);
  if (width < 1 || height < 1) throw undecodable("The TIFF has an impossible size");
  const samples = await value(TAG.samplesPerPixel, 1);
  const photometric = await value(TAG.photometric, -1);
  const extraSamples = await value(TAG.extraSamples, NO_EXTRA_SAMPLES);
  const compression = await value(TAG.compression, 1);
  const icc = first.entries.get(TAG.iccProfile);
  return buildImageFacts({
    format: "tiff",
    width,
    height,
    orientation: toOrientation(await value(TAG.orientation, 1)),
    frames: await countPages(reader, { first, firstOffset, order }),
    bitDepth: Math.max(1, Math.min(64, await value(TAG.bitsPerSample, 1))),
    colorModel: PHOTOMETRICS[photometric] ?? "other",
    hasAlpha: tiffAlphaKind({ photometric, samples, extraSamples }) > 0,
    compression: COMPRESSIONS[compression] ?? `tiff-${compression}`,
  }, icc ? await locateIcc(reader, { parts: [{ offset: icc.offset, length: icc.count }] }) : null);
}

/** Stands for a tag that is not there. */
const NO_EXTRA_SAMPLES = -1;

/**
 * What the sample after the colours is: 0 nothing to draw, 1 alpha by which colour is multiplied,
 * 2 plain alpha. A file with one sample too many and no word about it means alpha (so libtiff's
 * and Pillow's readers, too).
 */
export function tiffAlphaKind(
  tags: { photometric: number; samples: number; extraSamples: number | undefined },
): 0 | 1 | 2 {
  const { photometric, samples, extraSamples = NO_EXTRA_SAMPLES } = tags;
  const colors = photometric === 2 ? 3 : photometric === 5 ? 4 : photometric <= 1 ? 1 : samples;
  if (samples <= colors) return 0;
  if (extraSamples === NO_EXTRA_SAMPLES) return samples === colors + 1 ? 2 : 0;
  return extraSamples === 1 || extraSamples === 2 ? extraSamples : 0;
}

interface ByteOrder {
  u16: typeof u16le;
  u32: typeof u32le;
}

async function readDirectory(
  reader: HeaderReader,
  offset: number,
  order: ByteOrder,
): Promise<Directory> {
  if (offset < 8) throw undecodable("The TIFF has no directory");
  const count = order.u16(await reader.load(offset, 2), 0);
  if (count === 0 || count > MAX_ENTRIES) {
    throw undecodable("The TIFF directory has a wrong length");
  }
  const raw = await reader.loadSome(offset + 2, count * 12 + 4);
  const entries = new Map<number, Entry>();
  for (let i = 0; i < count && i * 12 + 12 <= raw.length; i++) {
    reader.step();
    const tag = order.u16(raw, i * 12);
    if (!WANTED.has(tag) || entries.has(tag)) continue;
    const type = order.u16(raw, i * 12 + 2);
    const values = order.u32(raw, i * 12 + 4);
    const inline = values * (TYPE_BYTES[type] ?? 8) <= 4;
    const at = inline ? offset + 2 + i * 12 + 8 : order.u32(raw, i * 12 + 8);
    entries.set(tag, { type, count: values, offset: at });
  }
  return { entries, next: raw.length === count * 12 + 4 ? order.u32(raw, count * 12) : 0 };
}

async function readValue(
  reader: HeaderReader,
  directory: Directory,
  options: { tag: number; missing: number; order: ByteOrder },
): Promise<number> {
  const entry = directory.entries.get(options.tag);
  if (!entry || entry.count === 0) return options.missing;
  if (entry.type === 3) return options.order.u16(await reader.load(entry.offset, 2), 0);
  if (entry.type === 4) return options.order.u32(await reader.load(entry.offset, 4), 0);
  return entry.type === 1 ? (await reader.load(entry.offset, 1))[0] : options.missing;
}

/** Pages without thumbnails; stops at a loop, a broken directory or the budget. */
async function countPages(
  reader: HeaderReader,
  options: { first: Directory; firstOffset: number; order: ByteOrder },
): Promise<number> {
  const visited = new Set<number>([options.firstOffset]);
  let pages = 1;
  let next = options.first.next;
  try {
    while (next !== 0 && !visited.has(next) && visited.size < MAX_PAGES) {
      visited.add(next);
      const directory = await readDirectory(reader, next, options.order);
      const { order } = options;
      const kind = await readValue(reader, directory, { tag: TAG.subfileType, missing: 0, order });
      if ((kind & 1) === 0) pages++;
      next = directory.next;
    }
  } catch (error) {
    if (!hasCode(error, "image_truncated") && !hasCode(error, "image_undecodable")) throw error;
  }
  return pages;
}
