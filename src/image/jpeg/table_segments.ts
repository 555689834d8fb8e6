import { JpegError } from "./jpeg_error.ts";
import type { HuffmanSpec } from "./standard_tables.ts";
import { PADDED_LENGTH } from "./zigzag.ts";

/** A quantisation table in zigzag order, padded to `PADDED_LENGTH`, and its index 0–3. */
export interface IndexedQuantTable {
  readonly index: number;
  readonly table: Int32Array;
}

/** Parses a DQT segment (T.81 B.2.4.1). Throws `corrupt`. */
export function parseQuantTables(payload: Uint8Array): IndexedQuantTable[] {
  const tables: IndexedQuantTable[] = [];
  for (let at = 0; at < payload.length;) {
    const precision = payload[at] >> 4;
    const index = payload[at++] & 15;
    const size = precision === 0 ? 64 : 128;
    if (precision > 1 || index > 3 || at + size > payload.length) {
      throw new JpegError("corrupt", "A quantisation table is malformed");
    }
    const table = new Int32Array(PADDED_LENGTH);
    for (let k = 0; k < 64; k++) {
      table[k] = precision === 0
        ? payload[at + k]
        : (payload[at + 2 * k] << 8) | payload[at + 2 * k + 1];
    }
    tables.push({ index, table });
    at += size;
  }
  return tables;
}

/** A Huffman table, its kind and its index 0–3. */
export interface IndexedHuffmanTable {
  readonly kind: "dc" | "ac";
  readonly index: number;
  readonly spec: HuffmanSpec;
}

/** Parses a DHT segment (T.81 B.2.4.2). Throws `corrupt`; the codes are checked when built. */
export function parseHuffmanTables(payload: Uint8Array): IndexedHuffmanTable[] {
  const tables: IndexedHuffmanTable[] = [];
  for (let at = 0; at < payload.length;) {
    const kind = payload[at] >> 4;
    const index = payload[at] & 15;
    const counts = payload.slice(at + 1, at + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    at += 17;
    if (kind > 1 || index > 3 || counts.length < 16 || total > 256) {
      throw new JpegError("corrupt", "A Huffman table is malformed");
    }
    if (at + total > payload.length) {
      throw new JpegError("corrupt", "A Huffman table is longer than its segment");
    }
    const symbols = payload.slice(at, at + total);
    tables.push({ kind: kind === 0 ? "dc" : "ac", index, spec: { counts, symbols } });
    at += total;
  }
  return tables;
}
