/**
 * Boxes of the ISO base media file format (ISO/IEC 14496-12) and the item tables of HEIF
 * (ISO/IEC 23008-12), read out of bytes in memory.
 *
 * @module
 */

import { latin1, u16be, u32be } from "./byte_order.ts";
import { type HeaderReader, undecodable } from "./header_reader.ts";

/** A box inside some bytes. */
export interface Box {
  readonly type: string;
  /** Its payload, after size and type (and, for full boxes, before version and flags). */
  readonly data: Uint8Array;
  /** Where the payload begins, in the bytes that were walked. */
  readonly at: number;
}

/** The boxes that lie side by side in `bytes`. A box that is cut off ends the list. */
export function listBoxes(bytes: Uint8Array, reader: HeaderReader, from = 0): Box[] {
  const boxes: Box[] = [];
  let at = from;
  while (at + 8 <= bytes.length) {
    reader.step();
    const size = u32be(bytes, at);
    const end = size === 0 ? bytes.length : at + size;
    if ((size !== 0 && size < 8) || end > bytes.length) break;
    boxes.push({ type: latin1(bytes, at + 4, 4), data: bytes.subarray(at + 8, end), at: at + 8 });
    at = end;
  }
  return boxes;
}

/** The tables of a `meta` box that say what the primary item is. */
export interface ItemTables {
  readonly primaryId: number;
  /** Four-letter item types by item id. */
  readonly types: ReadonlyMap<number, string>;
  /** Properties of an item, in the order in which they are associated. */
  propertiesOf(itemId: number): Box[];
  /** Item ids that `fromId` refers to by this reference type. */
  referencesFrom(fromId: number, type: string): number[];
  /** Item ids that refer to `toId` by this reference type. */
  referencesTo(toId: number, type: string): number[];
}

interface Reference {
  type: string;
  from: number;
  to: number[];
}

/**
 * Reads the item tables.
 *
 * @param meta Payload of the `meta` box; positions of properties count from its start.
 */
export function parseItemTables(meta: Uint8Array, reader: HeaderReader): ItemTables {
  const boxes = new Map(listBoxes(meta, reader, 4).map((box) => [box.type, box]));
  const pitm = boxes.get("pitm")?.data;
  const iprp = boxes.get("iprp");
  if (!pitm || !iprp) throw undecodable("The image container names no primary item");
  const parts = listBoxes(meta.subarray(0, iprp.at + iprp.data.length), reader, iprp.at);
  const ipco = parts.find((box) => box.type === "ipco");
  const properties = ipco
    ? listBoxes(meta.subarray(0, ipco.at + ipco.data.length), reader, ipco.at)
    : [];
  const associations = new Map<number, number[]>();
  for (const box of parts) {
    if (box.type === "ipma") readAssociations(box.data, reader, associations);
  }
  const references = parseReferences(boxes.get("iref")?.data, reader);
  return {
    primaryId: pitm[0] === 0 ? u16be(pitm, 4) : u32be(pitm, 4),
    types: parseItemTypes(boxes.get("iinf")?.data, reader),
    propertiesOf: (id) =>
      (associations.get(id) ?? []).map((i) => properties[i - 1]).filter((box) => box !== undefined),
    referencesFrom: (id, type) =>
      references.filter((ref) => ref.from === id && ref.type === type).flatMap((ref) => ref.to),
    referencesTo: (id, type) =>
      references.filter((ref) => ref.type === type && ref.to.includes(id)).map((ref) => ref.from),
  };
}

function parseItemTypes(iinf: Uint8Array | undefined, reader: HeaderReader): Map<number, string> {
  const types = new Map<number, string>();
  if (!iinf) return types;
  for (const { type, data } of listBoxes(iinf, reader, iinf[0] === 0 ? 6 : 8)) {
    if (type !== "infe" || data.length < 12 || data[0] < 2) continue;
    const wide = data[0] >= 3;
    types.set(wide ? u32be(data, 4) : u16be(data, 4), latin1(data, wide ? 10 : 8, 4));
  }
  return types;
}

function readAssociations(
  ipma: Uint8Array,
  reader: HeaderReader,
  into: Map<number, number[]>,
): void {
  const idBytes = ipma[0] === 0 ? 2 : 4;
  const wide = (ipma[3] & 1) === 1;
  let at = 8;
  for (let left = u32be(ipma, 4); left > 0 && at + idBytes < ipma.length; left--) {
    reader.step();
    const id = idBytes === 2 ? u16be(ipma, at) : u32be(ipma, at);
    const count = ipma[at + idBytes];
    at += idBytes + 1;
    const list: number[] = [];
    for (let i = 0; i < count && at < ipma.length; i++, at += wide ? 2 : 1) {
      list.push(wide ? u16be(ipma, at) & 0x7fff : ipma[at] & 0x7f);
    }
    if (!into.has(id)) into.set(id, list);
  }
}

function parseReferences(iref: Uint8Array | undefined, reader: HeaderReader): Reference[] {
  const references: Reference[] = [];
  if (!iref) return references;
  const wide = iref[0] !== 0;
  const idBytes = wide ? 4 : 2;
  for (const { type, data } of listBoxes(iref, reader, 4)) {
    const count = u16be(data, idBytes);
    const to: number[] = [];
    for (let i = 0; i < count; i++) {
      reader.step();
      const at = idBytes + 2 + i * idBytes;
      if (at + idBytes > data.length) break;
      to.push(wide ? u32be(data, at) : u16be(data, at));
    }
    references.push({ type, from: wide ? u32be(data, 0) : u16be(data, 0), to });
  }
  return references;
}
