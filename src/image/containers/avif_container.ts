/**
 * AVIF files of our own encoder: checking that they carry no metadata, and adding a profile as a
 * `colr` property of the primary item (ISO/IEC 23008-12 section 6.5.5; 14496-12 sections 8.11.3
 * and 12.1.5). Item positions in the file are moved by what the tables grow.
 *
 * @module
 */

import { u16be, u32be } from "../../core/image_header/byte_order.ts";
import { memorySource } from "../../core/image_header/byte_source.ts";
import { HeaderReader } from "../../core/image_header/header_reader.ts";
import { type Box, listBoxes, parseItemTables } from "../../core/image_header/isobmff_boxes.ts";
import { asciiBytes, brokenOutput, buildBox, concatBytes } from "./container_bytes.ts";

/** Item types that carry metadata: EXIF, XMP and any URI-typed one. */
const METADATA_ITEMS = new Set(["Exif", "mime", "uri "]);

/**
 * Adds a profile to an AVIF file that has none, or just checks the file.
 *
 * @param icc A profile to put in, or null.
 * @throws {AppError} `internal_error` when the encoder wrote metadata or an unknown layout.
 */
export function rewriteAvif(file: Uint8Array, icc: Uint8Array | null): Uint8Array<ArrayBuffer> {
  const reader = new HeaderReader(memorySource(file));
  const top = listBoxes(file, reader);
  const meta = top.find((box) => box.type === "meta");
  if (!meta) throw brokenOutput("AVIF");
  const tables = parseItemTables(meta.data, reader);
  if ([...tables.types.values()].some((type) => METADATA_ITEMS.has(type))) {
    throw brokenOutput("AVIF");
  }
  if (!icc) return new Uint8Array(file);
  const children = listBoxes(meta.data, reader, 4);
  const iprp = children.find((box) => box.type === "iprp");
  if (!iprp) throw brokenOutput("AVIF");
  const grownIprp = addProfile(iprp, { icc, itemId: tables.primaryId, reader });
  const grownBy = grownIprp.length - (iprp.data.length + 8);
  const newMeta = buildBox("meta", [
    meta.data.subarray(0, 4),
    ...children.map((child) => {
      if (child.type === "iprp") return grownIprp;
      return child.type === "iloc" ? moveItems(child, grownBy) : wrap(child);
    }),
  ]);
  return concatBytes(top.map((box) => box === meta ? newMeta : wrap(box)));
}

function wrap(box: Box): Uint8Array {
  return buildBox(box.type, [box.data]);
}

function addProfile(
  iprp: Box,
  options: { icc: Uint8Array; itemId: number; reader: HeaderReader },
): Uint8Array {
  const parts = listBoxes(iprp.data, options.reader);
  const ipco = parts.find((box) => box.type === "ipco");
  if (!ipco) throw brokenOutput("AVIF");
  const index = listBoxes(ipco.data, options.reader).length + 1;
  const colr = buildBox("colr", [asciiBytes("prof"), options.icc]);
  return buildBox(
    "iprp",
    parts.map((part) => {
      if (part.type === "ipco") return buildBox("ipco", [part.data, colr]);
      return part.type === "ipma" ? associate(part, options.itemId, index) : wrap(part);
    }),
  );
}

/** Adds a property, not essential, to one item of version 0 tables with 7-bit indices. */
function associate(ipma: Box, itemId: number, index: number): Uint8Array {
  const { data } = ipma;
  if (data[0] !== 0 || (data[3] & 1) !== 0 || index > 127) throw brokenOutput("AVIF");
  const parts = [data.subarray(0, 8)];
  for (let at = 8; at + 3 <= data.length;) {
    const end = at + 3 + data[at + 2];
    const entry = data.slice(at, end);
    if (u16be(data, at) === itemId) {
      entry[2]++;
      parts.push(entry, Uint8Array.of(index));
    } else parts.push(entry);
    at = end;
  }
  return buildBox("ipma", parts);
}

/** Adds `by` to every position in the file, in tables of 4-byte offsets and lengths. */
function moveItems(iloc: Box, by: number): Uint8Array {
  const data = iloc.data.slice();
  const version = data[0];
  const baseBytes = data[5] >> 4;
  if (data[4] !== 0x44 || version > 1 || (data[5] & 15) !== 0) throw brokenOutput("AVIF");
  const view = new DataView(data.buffer);
  let at = 8;
  for (let left = u16be(data, 6); left > 0; left--) {
    const method = version === 0 ? 0 : u16be(data, at + 2) & 15;
    if (method !== 0) throw brokenOutput("AVIF");
    at += (version === 0 ? 4 : 6) + baseBytes;
    const extents = u16be(data, at);
    at += 2;
    for (let i = 0; i < extents; i++, at += 8) view.setUint32(at, u32be(data, at) + by);
  }
  return buildBox("iloc", [data]);
}
