/**
 * Fills in properties that old writers left out of AVIF files and that libavif insists on: the depth
 * of the channels (`pixi`), and the size (`ispe`) of alpha pictures. Browsers read such files too.
 *
 * The old table is not touched but renamed to free space, and the new one is put at the end of the
 * file: positions of pixels stay what they are.
 *
 * @module
 */

import { u16be, u32be } from "../../core/image_header/byte_order.ts";
import { memorySource } from "../../core/image_header/byte_source.ts";
import { HeaderReader } from "../../core/image_header/header_reader.ts";
import {
  type Box,
  type ItemTables,
  listBoxes,
  parseItemTables,
} from "../../core/image_header/isobmff_boxes.ts";
import { AppError } from "../../errors.ts";
import { buildBox, concatBytes } from "./container_bytes.ts";

const PICTURE_TYPES = new Set(["av01", "grid"]);
/** Associations with 7-bit indices cannot name later properties. */
const MAX_NARROW_INDEX = 127;

interface Tables {
  readonly items: ItemTables;
  readonly properties: readonly Box[];
}

/**
 * Gives the file itself when nothing is missing, else a copy that is a little longer.
 *
 * @throws {AppError} `unsupported_image` for grids that libavif would put together wrongly.
 */
export function repairAvif(file: Uint8Array): Uint8Array {
  const reader = new HeaderReader(memorySource(file));
  const meta = listBoxes(file, reader).find((box) => box.type === "meta");
  if (!meta) return file;
  const openEnded = u32be(file, meta.at - 8) === 0;
  const children = listBoxes(meta.data, reader, 4);
  const iprp = children.find((box) => box.type === "iprp");
  const parts = iprp ? listBoxes(iprp.data, reader) : [];
  const ipco = parts.find((box) => box.type === "ipco");
  const ipma = parts.find((box) => box.type === "ipma");
  if (!iprp || !ipco || !ipma) return file;
  const properties = listBoxes(ipco.data, reader);
  const items = parseItemTables(meta.data, reader);
  refuseDisorder(items);
  const { added, missing } = findMissing({ items, properties }, reader);
  if (missing.size === 0 && !openEnded) return file;
  const wide = (ipma.data[3] & 1) === 1;
  if (!wide && properties.length + added.length > MAX_NARROW_INDEX) return file;

  const newIprp = buildBox(
    "iprp",
    parts.map((part) => {
      if (part === ipco) return buildBox("ipco", [ipco.data, ...added]);
      return part === ipma ? associate(ipma.data, missing) : buildBox(part.type, [part.data]);
    }),
  );
  const newMeta = buildBox("meta", [
    meta.data.subarray(0, 4),
    ...children.map((child) => child === iprp ? newIprp : buildBox(child.type, [child.data])),
  ]);
  const repaired = concatBytes([file, newMeta]);
  const freed = buildBox("free", [meta.data]).subarray(0, 8);
  repaired.set(freed, meta.at - 8);
  return repaired;
}

/** libavif 1.0 takes the tiles of a grid by their item ids, not in the order that the grid names. */
function refuseDisorder(items: ItemTables): void {
  for (const [id, type] of items.types) {
    const tiles = type === "grid" ? items.referencesFrom(id, "dimg") : [];
    if (tiles.some((tile, i) => i > 0 && tile < tiles[i - 1])) {
      throw new AppError("unsupported_image", "AVIF grids with unordered tiles are not supported");
    }
  }
}

/** The properties to add, and by item the indices (from 1) of those that it lacks. */
function findMissing(
  { items, properties }: Tables,
  reader: HeaderReader,
): { added: Uint8Array[]; missing: Map<number, number[]> } {
  const added: Uint8Array[] = [];
  const missing = new Map<number, number[]>();
  const size = items.propertiesOf(items.primaryId).find((box) => box.type === "ispe");
  // Both were read from the same place in the file.
  const sizeIndex = properties.findIndex((box) => box.data.byteOffset === size?.data.byteOffset) +
    1;
  for (const [id, type] of items.types) {
    reader.step();
    if (!PICTURE_TYPES.has(type)) continue;
    const own = items.propertiesOf(id);
    const lacks: number[] = [];
    const hasSize = own.some((box) => box.type === "ispe");
    if (!hasSize && sizeIndex > 0) lacks.push(sizeIndex);
    const config = own.find((box) => box.type === "av1C")?.data;
    if (config && !own.some((box) => box.type === "pixi")) {
      added.push(buildPixi(config, own.some((box) => box.type === "auxC")));
      lacks.push(properties.length + added.length);
    }
    if (lacks.length > 0) missing.set(id, lacks);
  }
  return { added, missing };
}

function buildPixi(av1C: Uint8Array, alpha: boolean): Uint8Array {
  const depth = (av1C[2] & 0x40) === 0 ? 8 : (av1C[2] & 0x20) === 0 ? 10 : 12;
  const channels = alpha || (av1C[2] & 0x10) !== 0 ? 1 : 3;
  return buildBox("pixi", [Uint8Array.of(0, 0, 0, 0, channels, ...Array(channels).fill(depth))]);
}

function associate(ipma: Uint8Array, missing: ReadonlyMap<number, number[]>): Uint8Array {
  const idBytes = ipma[0] === 0 ? 2 : 4;
  const wide = (ipma[3] & 1) === 1;
  const parts = [ipma.subarray(0, 8)];
  for (let at = 8; at + idBytes < ipma.length;) {
    const id = idBytes === 2 ? u16be(ipma, at) : u32be(ipma, at);
    const count = ipma[at + idBytes];
    const end = at + idBytes + 1 + count * (wide ? 2 : 1);
    const lacks = missing.get(id) ?? [];
    const entry = ipma.slice(at, end);
    entry[idBytes] = count + lacks.length;
    parts.push(entry, Uint8Array.from(lacks.flatMap((i) => wide ? [i >> 8, i & 255] : [i])));
    at = end;
  }
  return buildBox("ipma", parts);
}
