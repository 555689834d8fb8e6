import {
  type ColorMarkers,
  decideColor,
  isStartOfFrame,
  type JpegHeader,
  parseFrame,
} from "./frame_header.ts";
import { buildHuffmanTable, type HuffmanTable } from "./huffman_table.ts";
import { JpegError } from "./jpeg_error.ts";
import {
  type HuffmanSpec,
  STANDARD_AC_CHROMA,
  STANDARD_AC_LUMA,
  STANDARD_DC_CHROMA,
  STANDARD_DC_LUMA,
} from "./standard_tables.ts";
import { parseHuffmanTables, parseQuantTables } from "./table_segments.ts";

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const DQT = 0xdb;
const DNL = 0xdc;
const DRI = 0xdd;
const DHP = 0xde;
const EXP = 0xdf;
const DHT = 0xc4;
const APP0 = 0xe0;
const APP14 = 0xee;
const TEM = 0x01;

/** One component of a scan header (T.81 B.2.3). */
export interface ScanComponent {
  /** Index into the frame's components. */
  readonly index: number;
  /** Index of the DC table, 0–3. */
  readonly dc: number;
  /** Index of the AC table, 0–3. */
  readonly ac: number;
}

/** A scan header (T.81 B.2.3). */
export interface ScanHeader {
  readonly components: readonly ScanComponent[];
  /** First and last coefficient of the scan in zigzag order (Ss, Se). */
  readonly first: number;
  readonly last: number;
  /** Bit position of the previous and of this approximation (Ah, Al). */
  readonly high: number;
  readonly low: number;
}

/**
 * Walks the marker segments of a JPEG and keeps the tables that they define. The caller decodes
 * the entropy-coded data between `nextScan` calls and sets `position` behind it.
 */
export class MarkerReader {
  /** Where the next marker is looked for. */
  position = 2;
  header: JpegHeader | null = null;
  /** MCUs between restart markers, 0 for none. */
  restartInterval = 0;
  /** Quantisation tables in zigzag order, padded to `PADDED_LENGTH`. */
  readonly quant: (Int32Array | null)[] = [null, null, null, null];
  /** Whether the walk met the end-of-image marker, not only the end of the bytes. */
  sawEnd = false;
  readonly #specs: (HuffmanSpec | HuffmanTable | null)[];
  readonly #markers: ColorMarkers = { jfif: false, adobeTransform: -1 };

  /** Throws `corrupt` when the bytes do not begin with a start-of-image marker. */
  constructor(readonly bytes: Uint8Array) {
    if (bytes.length < 2 || bytes[0] !== 0xff || bytes[1] !== SOI) {
      throw new JpegError("corrupt", "The bytes do not begin like a JPEG");
    }
    // Frames of Motion JPEG leave the tables of T.81 annex K out and rely on them.
    this.#specs = [
      STANDARD_DC_LUMA,
      STANDARD_DC_CHROMA,
      null,
      null,
      STANDARD_AC_LUMA,
      STANDARD_AC_CHROMA,
      null,
      null,
    ];
  }

  /**
   * Reads segments up to and with the next scan header; null at the end of the image.
   * Throws `truncated` when a segment is cut off.
   */
  nextScan(): ScanHeader | null {
    for (;;) {
      const marker = this.#nextMarker();
      if (marker === EOI || marker === -1) {
        this.sawEnd = marker === EOI;
        return null;
      }
      // Markers without a segment; a stray restart marker means nothing between scans.
      if (marker === TEM || marker === 0 || (marker >= 0xd0 && marker <= SOI)) continue;
      const payload = this.#segment(marker);
      if (marker === SOS) return this.#parseScan(payload);
      this.#readSegment(marker, payload);
    }
  }

  /** A Huffman table by kind and index 0–3; built on first use. Throws `corrupt` if undefined. */
  huffmanTable(kind: "dc" | "ac", index: number): HuffmanTable {
    const slot = slotOf(kind, index);
    const spec = this.#specs[slot];
    if (spec === null) throw new JpegError("corrupt", "A scan uses an undefined Huffman table");
    if ("values" in spec) return spec;
    const table = buildHuffmanTable(spec, kind);
    this.#specs[slot] = table;
    return table;
  }

  /** Moves `position` to the marker that ends the entropy-coded data at `position`. */
  skipEntropyCodedData(): void {
    const { bytes } = this;
    let at = this.position;
    for (;;) {
      at = bytes.indexOf(0xff, at);
      if (at < 0 || at + 1 >= bytes.length) {
        this.position = bytes.length;
        return;
      }
      const second = bytes[at + 1];
      if (second === 0 || (second >= 0xd0 && second <= 0xd7)) at += 2;
      else if (second === 0xff) at++;
      else {
        this.position = at;
        return;
      }
    }
  }

  /** The next marker's code, or -1 at the end of the bytes. Bytes before it are passed over. */
  #nextMarker(): number {
    const { bytes } = this;
    let at = this.position;
    for (;;) {
      at = bytes.indexOf(0xff, at);
      if (at < 0) break;
      while (at < bytes.length && bytes[at] === 0xff) at++;
      if (at >= bytes.length) break;
      const marker = bytes[at++];
      if (marker !== 0) {
        this.position = at;
        return marker;
      }
    }
    this.position = bytes.length;
    return -1;
  }

  #segment(marker: number): Uint8Array {
    const { bytes, position } = this;
    if (position + 2 > bytes.length) throw truncatedSegment();
    const length = (bytes[position] << 8) | bytes[position + 1];
    if (length < 2 && marker >= APP0) {
      // Comments and application data are not needed: pass over what is left of them as libjpeg does.
      this.position = position + 2;
      return bytes.subarray(position, position);
    }
    if (length < 2) throw new JpegError("corrupt", "A segment has a length below 2");
    if (position + length > bytes.length) throw truncatedSegment();
    this.position = position + length;
    return bytes.subarray(position + 2, position + length);
  }

  #readSegment(marker: number, payload: Uint8Array): void {
    if (isStartOfFrame(marker)) this.#readFrame(marker, payload);
    else if (marker === DQT) {
      for (const { index, table } of parseQuantTables(payload)) this.quant[index] = table;
    } else if (marker === DHT) {
      for (const { kind, index, spec } of parseHuffmanTables(payload)) {
        this.#specs[slotOf(kind, index)] = spec;
      }
    } else if (marker === DRI) {
      if (payload.length < 2) throw new JpegError("corrupt", "A restart interval is too short");
      this.restartInterval = (payload[0] << 8) | payload[1];
    } else if (marker === DNL) this.#checkLineCount(payload);
    else if (marker === DHP || marker === EXP) {
      throw new JpegError("unsupported", "A hierarchical JPEG is not supported");
    } else if (marker === APP0) {
      if (startsWith(payload, "JFIF\0")) this.#markers.jfif = true;
    } else if (marker === APP14) {
      if (payload.length >= 12 && startsWith(payload, "Adobe")) {
        this.#markers.adobeTransform = payload[11];
      }
    }
  }

  #readFrame(marker: number, payload: Uint8Array): void {
    if (this.header) throw new JpegError("corrupt", "The file has more than one frame header");
    const frame = parseFrame(marker, payload);
    const height = frame.height || this.#findLineCount();
    // The colour is decided at the first scan: application markers may follow the frame header.
    this.header = { ...frame, height, color: "gray", inverted: false };
  }

  /** The number of lines of a frame whose header leaves it to a DNL segment (T.81 B.2.5). */
  #findLineCount(): number {
    const { bytes } = this;
    const resume = this.position;
    for (;;) {
      const marker = this.#nextMarker();
      if (marker === -1 || marker === EOI) break;
      if (marker === TEM || (marker >= 0xd0 && marker <= SOI)) continue;
      const payload = this.#segment(marker);
      if (marker !== SOS) continue;
      this.skipEntropyCodedData();
      const at = this.position;
      if (at + 6 > bytes.length || bytes[at + 1] !== DNL || payload.length === 0) break;
      const height = (bytes[at + 4] << 8) | bytes[at + 5];
      this.position = resume;
      if (height === 0) break;
      return height;
    }
    throw new JpegError("corrupt", "The frame header has no height and no DNL segment gives it");
  }

  #checkLineCount(payload: Uint8Array): void {
    const lines = payload.length < 2 ? 0 : (payload[0] << 8) | payload[1];
    if (lines !== this.header?.height) {
      throw new JpegError("corrupt", "A DNL segment contradicts the frame header");
    }
  }

  #parseScan(payload: Uint8Array): ScanHeader {
    if (!this.header) throw new JpegError("corrupt", "A scan comes before the frame header");
    const frame = this.header;
    this.header = { ...frame, ...decideColor(frame.components, this.#markers) };
    const count = payload.length > 0 ? payload[0] : 0;
    if (count < 1 || count > 4 || payload.length < 4 + 2 * count) {
      throw new JpegError("corrupt", "A scan header is malformed");
    }
    const components: ScanComponent[] = [];
    for (let i = 0; i < count; i++) {
      const id = payload[1 + 2 * i];
      const tables = payload[2 + 2 * i];
      // Some writers give all components one id: take the first that the scan has not used.
      const index = frame.components.findIndex((component, at) =>
        component.id === id && !components.some((taken) => taken.index === at)
      );
      if (index < 0) throw new JpegError("corrupt", "A scan names an unknown component");
      if (tables >> 4 > 3 || (tables & 15) > 3) {
        throw new JpegError("corrupt", "A scan names a Huffman table above 3");
      }
      components.push({ index, dc: tables >> 4, ac: tables & 15 });
    }
    const [first, last, approximation] = payload.subarray(1 + 2 * count);
    return { components, first, last, high: approximation >> 4, low: approximation & 15 };
  }
}

function slotOf(kind: "dc" | "ac", index: number): number {
  return (kind === "ac" ? 4 : 0) + index;
}

function startsWith(payload: Uint8Array, text: string): boolean {
  if (payload.length < text.length) return false;
  for (let i = 0; i < text.length; i++) if (payload[i] !== text.charCodeAt(i)) return false;
  return true;
}

function truncatedSegment(): JpegError {
  return new JpegError("truncated", "The file ends inside a marker segment");
}
