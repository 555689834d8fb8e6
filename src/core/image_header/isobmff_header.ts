/**
 * AVIF and HEIC: size, orientation, depth, alpha and profile of the primary item
 * (ISO/IEC 23008-12, AV1 Image File Format).
 *
 * Turning and mirroring come from the `irot` and `imir` properties alone. EXIF in these files is
 * information only (ISO/IEC 23008-12 section 6.5.10), so its orientation is not looked at.
 *
 * @module
 */

import { buildImageFacts, type ImageFacts, type Orientation } from "../image_facts.ts";
import { hasText, latin1, u32be } from "./byte_order.ts";
import { type HeaderReader, PROBE_LIMITS, undecodable, unsupported } from "./header_reader.ts";
import { locateIcc } from "./icc_profile.ts";
import { type Box, type ItemTables, listBoxes, parseItemTables } from "./isobmff_boxes.ts";
import { composeOrientations } from "./orientation_group.ts";

/** Most boxes at the top level of the file before and after `meta`. */
const MAX_TOP_BOXES = 64;
/** How deep derived items (grids of grids) are followed to the coded one. */
const MAX_DERIVATIONS = 4;
/** Largest `ftyp` box that is read. */
const MAX_BRAND_BYTES = 1_024;

/** Brands that may hold HEIC or AVIF; others are video or audio (registry of MP4RA). */
const IMAGE_BRANDS = new Set(
  ["avif", "avis", "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "mif2", "msf1", "miaf"],
);

const ALPHA_URNS = [
  "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
  "urn:mpeg:hevc:2015:auxid:1",
];

/** Imir: 0 exchanges top and bottom, 1 exchanges left and right (23008-12:2022 section 6.5.12). */
const MIRRORS: readonly Orientation[] = [4, 2];
/** Irot: quarter turns anti-clockwise (23008-12 section 6.5.10). */
const ROTATIONS: readonly Orientation[] = [1, 8, 3, 6];

interface TopBoxes {
  meta: { data: Uint8Array; offset: number } | null;
  moov: Uint8Array | null;
}

/** Whether the first bytes are those of an image in this container. */
export function isIsobmffImage(head: Uint8Array): boolean {
  if (!hasText(head, 4, "ftyp")) return false;
  const end = Math.min(u32be(head, 0), head.length, MAX_BRAND_BYTES);
  for (let at = 8; at + 4 <= end; at += at === 8 ? 8 : 4) {
    if (IMAGE_BRANDS.has(latin1(head, at, 4))) return true;
  }
  return false;
}

/** Reads the item tables and, for image sequences, the number of samples. */
export async function parseIsobmffHeader(reader: HeaderReader): Promise<ImageFacts> {
  const { meta, moov } = await findTopBoxes(reader);
  if (!meta) {
    if (moov) throw unsupported("Image sequences without a still image are not supported");
    throw undecodable("The image container has no item table");
  }
  const tables = parseItemTables(meta.data, reader);
  const coded = codedItem(tables);
  const codec = tables.types.get(coded) ?? "";
  const format = codec === "av01" ? "avif" : codec === "hvc1" || codec === "hev1" ? "heic" : null;
  if (!format) throw unsupported("The image container holds a codec that is not supported");

  const properties = tables.propertiesOf(tables.primaryId);
  const extents = properties.find((box) => box.type === "ispe")?.data;
  const size = cleanAperture(properties) ??
    { width: extents ? u32be(extents, 4) : 0, height: extents ? u32be(extents, 8) : 0 };
  if (size.width < 1 || size.height < 1) throw undecodable("The image has an impossible size");
  const config = codecConfig(tables.propertiesOf(coded));
  const profile = findProfile(properties) ?? findProfile(tables.propertiesOf(coded));
  return buildImageFacts({
    format,
    ...size,
    orientation: itemOrientation(properties),
    frames: countSamples(moov, reader),
    bitDepth: config.bitDepth,
    colorModel: config.monochrome ? "gray" : "rgb",
    hasAlpha: hasAlphaItem(tables),
    compression: coded === tables.primaryId
      ? codec
      : `${tables.types.get(tables.primaryId)}-${codec}`,
  }, profile ? await locateIcc(reader, { parts: [withOffset(profile, meta.offset)] }) : null);
}

async function findTopBoxes(reader: HeaderReader): Promise<TopBoxes> {
  const found: TopBoxes = { meta: null, moov: null };
  let at = 0;
  for (let boxes = 0; boxes < MAX_TOP_BOXES && at + 8 <= reader.size; boxes++) {
    reader.step();
    const head = await reader.loadSome(at, 16);
    const type = latin1(head, 4, 4);
    const short = u32be(head, 0);
    const headBytes = short === 1 ? 16 : 8;
    const length = short === 0
      ? reader.size - at
      : short === 1
      ? u32be(head, 8) * 2 ** 32 + u32be(head, 12)
      : short;
    if (length < headBytes) throw undecodable("The image container has a broken box");
    if (type === "meta" || type === "moov") {
      const data = (await reader.load(at + headBytes, length - headBytes)).slice();
      if (type === "moov") found.moov ??= data;
      else found.meta ??= { data, offset: at + headBytes };
    }
    at += length;
  }
  return found;
}

function codedItem(tables: ItemTables): number {
  let id = tables.primaryId;
  for (let depth = 0; depth < MAX_DERIVATIONS; depth++) {
    const inputs = tables.referencesFrom(id, "dimg");
    if (inputs.length === 0) return id;
    id = inputs[0];
  }
  throw undecodable("The image is derived too often");
}

/** Size after `clap`, when it is given in whole pixels inside the image. */
function cleanAperture(properties: Box[]): { width: number; height: number } | null {
  const clap = properties.find((box) => box.type === "clap")?.data;
  const extents = properties.find((box) => box.type === "ispe")?.data;
  if (!clap || clap.length < 32 || !extents) return null;
  const width = u32be(clap, 0) / u32be(clap, 4);
  const height = u32be(clap, 8) / u32be(clap, 12);
  const whole = Number.isInteger(width) && Number.isInteger(height);
  if (!whole || width > u32be(extents, 4) || height > u32be(extents, 8)) {
    throw undecodable("The image has an impossible crop");
  }
  return { width, height };
}

function itemOrientation(properties: Box[]): Orientation {
  let orientation: Orientation = 1;
  for (const { type, data } of properties) {
    if (type === "irot") orientation = composeOrientations(orientation, ROTATIONS[data[0] & 3]);
    if (type === "imir") orientation = composeOrientations(orientation, MIRRORS[data[0] & 1]);
  }
  return orientation;
}

/** Depth and monochrome flag of av1C (AV1-ISOBMFF 2.3.3) or hvcC (14496-15 section 8.3.3.1). */
function codecConfig(properties: Box[]): { bitDepth: number; monochrome: boolean } {
  for (const { type, data } of properties) {
    if (type === "av1C" && data.length >= 4) {
      const bitDepth = (data[2] & 0x40) === 0 ? 8 : (data[2] & 0x20) === 0 ? 10 : 12;
      return { bitDepth, monochrome: (data[2] & 0x10) !== 0 };
    }
    if (type === "hvcC" && data.length >= 18) {
      return { bitDepth: 8 + (data[17] & 7), monochrome: (data[16] & 3) === 0 };
    }
  }
  throw undecodable("The image has no codec configuration");
}

function findProfile(properties: Box[]): Box | null {
  return properties.find(({ type, data }) =>
    type === "colr" && (hasText(data, 0, "prof") || hasText(data, 0, "rICC"))
  ) ?? null;
}

function withOffset(colr: Box, base: number): { offset: number; length: number } {
  return { offset: base + colr.at + 4, length: colr.data.length - 4 };
}

function hasAlphaItem(tables: ItemTables): boolean {
  return tables.referencesTo(tables.primaryId, "auxl").some((id) =>
    tables.propertiesOf(id).some(({ type, data }) =>
      type === "auxC" && ALPHA_URNS.some((urn) => hasText(data, 4, urn))
    )
  );
}

/** Samples of the longest track of pictures; 1 for still images. */
function countSamples(moov: Uint8Array | null, reader: HeaderReader): number {
  let most = 1;
  for (const track of moov ? listBoxes(moov, reader) : []) {
    if (track.type !== "trak") continue;
    let inside: Uint8Array | undefined = track.data;
    for (const step of ["mdia", "minf", "stbl", "stsz"]) {
      inside = inside && listBoxes(inside, reader).find((box) => box.type === step)?.data;
    }
    if (inside && inside.length >= 12) most = Math.max(most, u32be(inside, 8));
  }
  return Math.min(most, PROBE_LIMITS.frames);
}
