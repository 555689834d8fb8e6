/**
 * The fax compressions of TIFF: modified Huffman, Group 3 in one and two dimensions, Group 4
 * (ITU-T T.4 and T.6; TIFF 6.0 sections 10 and 11).
 *
 * @module
 */

import {
  BLACK_CODES,
  buildFaxTable,
  FAX_CODE_BITS,
  HORIZONTAL_MODE,
  MODE_CODES,
  PASS_MODE,
  WHITE_CODES,
} from "./fax_codes.ts";

/** What is to be unpacked. */
export interface FaxInput {
  readonly data: Uint8Array;
  readonly width: number;
  readonly rows: number;
  /** `rle`: no line marks, byte-aligned; `group3`: line marks; `group4`: neither. */
  readonly kind: "rle" | "group3" | "group4";
  /** Whether Group 3 lines may refer to the one above. */
  readonly twoDimensional: boolean;
}

class FaxError extends Error {}

let tables: { white: Uint16Array; black: Uint16Array; modes: Uint16Array } | null = null;

function loadTables() {
  tables ??= {
    white: buildFaxTable(WHITE_CODES),
    black: buildFaxTable(BLACK_CODES),
    modes: buildFaxTable(MODE_CODES),
  };
  return tables;
}

/**
 * Unpacks rows of bits into `out`, black as 1, each row padded to a byte.
 *
 * @returns How many rows were complete before the data ended or broke.
 */
export function unpackFax(input: FaxInput, out: Uint8Array): number {
  const reader = new FaxReader(input.data, input.width);
  const rowBytes = (input.width + 7) >> 3;
  let above: Int32Array = new Int32Array(0);
  for (let y = 0; y < input.rows; y++) {
    try {
      const flat = input.kind === "rle"
        ? reader.alignByte()
        : input.kind === "group3"
        ? reader.startLine(input.twoDimensional)
        : false;
      above = flat ? reader.readFlatLine() : reader.readLineBelow(above);
    } catch (error) {
      if (error instanceof FaxError) return y;
      throw error;
    }
    paintLine(above, out.subarray(y * rowBytes, (y + 1) * rowBytes), input.width);
  }
  return input.rows;
}

/** Sets the bits between each odd change and the next. */
function paintLine(changes: Int32Array, row: Uint8Array, width: number): void {
  for (let i = 0; i < changes.length; i += 2) {
    const end = changes[i + 1] ?? width;
    for (let x = changes[i]; x < end; x++) row[x >> 3] |= 0x80 >> (x & 7);
  }
}

class FaxReader {
  readonly #data: Uint8Array;
  readonly #width: number;
  readonly #tables = loadTables();
  /** Changes of the line that is being read; there are never more than pixels, and two. */
  readonly #changes: Int32Array;
  #bit = 0;

  constructor(data: Uint8Array, width: number) {
    this.#data = data;
    this.#width = width;
    this.#changes = new Int32Array(width + 4);
  }

  /** Lines of modified Huffman begin on a byte. */
  alignByte(): true {
    this.#bit = (this.#bit + 7) & ~7;
    return true;
  }

  /** Passes fill bits and an end-of-line mark; tells whether the line stands alone. */
  startLine(twoDimensional: boolean): boolean {
    const from = this.#bit;
    let zeros = 0;
    while (this.#bit < this.#data.length * 8 && this.#take(1) === 0) zeros++;
    if (zeros < 11) {
      this.#bit = from;
      return true;
    }
    return twoDimensional ? this.#take(1) === 1 : true;
  }

  readFlatLine(): Int32Array {
    let count = 0;
    for (let x = 0, black = false; x < this.#width; black = !black) {
      x = this.#advance(x, this.#readRun(black));
      this.#changes[count++] = x;
    }
    return this.#changes.slice(0, count);
  }

  /** A line coded by its differences from the one above. */
  readLineBelow(above: Int32Array): Int32Array {
    const width = this.#width;
    let count = 0;
    let black = 0;
    let from = 0;
    // The imaginary pixel before the line (T.6 section 2.2.1).
    let a0 = -1;
    for (let x = 0; x < width;) {
      while (from > 0 && above[from - 1] > a0) from--;
      while (from < above.length && (above[from] <= a0 || (from & 1) !== black)) from++;
      const b1 = above[from] ?? width;
      const mode = this.#readMode();
      if (mode === PASS_MODE) {
        x = a0 = above[from + 1] ?? width;
      } else if (mode === HORIZONTAL_MODE) {
        const first = this.#advance(x, this.#readRun(black === 1));
        x = a0 = this.#advance(first, this.#readRun(black === 0));
        this.#push(count++, first);
        this.#push(count++, x);
      } else {
        const next = b1 + mode;
        if (next < x || next > width) throw new FaxError();
        x = a0 = next;
        this.#push(count++, x);
        black ^= 1;
      }
    }
    return this.#changes.slice(0, count);
  }

  #push(index: number, x: number): void {
    if (index >= this.#changes.length) throw new FaxError();
    this.#changes[index] = x;
  }

  #advance(x: number, run: number): number {
    if (x + run > this.#width) throw new FaxError();
    return x + run;
  }

  #readMode(): number {
    const entry = this.#tables.modes[this.#peek()];
    if (entry === 0) throw new FaxError();
    this.#skip(entry & 15);
    return (entry >> 4) - 16;
  }

  #readRun(black: boolean): number {
    const table = black ? this.#tables.black : this.#tables.white;
    for (let run = 0;;) {
      const entry = table[this.#peek()];
      if (entry === 0) throw new FaxError();
      this.#skip(entry & 15);
      const part = (entry >> 4) - 16;
      run += part;
      if (part < 64) return run;
      if (run > this.#width) throw new FaxError();
    }
  }

  #skip(bits: number): void {
    this.#bit += bits;
    if (this.#bit > this.#data.length * 8) throw new FaxError();
  }

  #peek(): number {
    const at = this.#bit >> 3;
    const word = this.#data[at] << 16 | this.#data[at + 1] << 8 | this.#data[at + 2];
    return word >>> (24 - FAX_CODE_BITS - (this.#bit & 7)) & ((1 << FAX_CODE_BITS) - 1);
  }

  #take(bits: number): number {
    const value = this.#peek() >> (FAX_CODE_BITS - bits);
    this.#skip(bits);
    return value;
  }
}
