/**
 * The LZW of GIF: codes of 3 to 12 bits, least significant bit first (GIF89a, appendix F).
 *
 * @module
 */

const MAX_CODES = 4_096;
const MAX_CODE_BITS = 12;

/** The data sub-blocks of a frame, read as one run of bits. */
class SubBlockBits {
  readonly #bytes: Uint8Array;
  #at: number;
  #left = 0;
  #bits = 0;
  #count = 0;

  constructor(bytes: Uint8Array, from: number) {
    this.#bytes = bytes;
    this.#at = from;
  }

  /** The next `width` bits, or -1 at the end of the data. */
  take(width: number): number {
    while (this.#count < width) {
      if (this.#left === 0) {
        if (this.#at >= this.#bytes.length) return -1;
        this.#left = this.#bytes[this.#at++];
        if (this.#left === 0) {
          this.#at = this.#bytes.length;
          return -1;
        }
      }
      if (this.#at >= this.#bytes.length) return -1;
      this.#bits |= this.#bytes[this.#at++] << this.#count;
      this.#left--;
      this.#count += 8;
    }
    const value = this.#bits & ((1 << width) - 1);
    this.#bits >>>= width;
    this.#count -= width;
    return value;
  }
}

/** Where the compressed indices lie. */
export interface LzwInput {
  readonly bytes: Uint8Array;
  /** Position of the first sub-block, after the minimum code size. */
  readonly from: number;
  /** Bits of an index: 1 to 11. */
  readonly minCodeSize: number;
}

/**
 * Decodes indices into `out` until it is full or the data ends.
 *
 * @returns How many indices were written; -1 when the data holds an impossible code.
 */
export function decodeLzw({ bytes, from, minCodeSize }: LzwInput, out: Uint8Array): number {
  const bits = new SubBlockBits(bytes, from);
  const clear = 1 << minCodeSize;
  const prefix = new Uint16Array(MAX_CODES);
  const suffix = new Uint8Array(MAX_CODES);
  const lengths = new Uint16Array(MAX_CODES);
  for (let i = 0; i < clear; i++) {
    suffix[i] = i;
    lengths[i] = 1;
  }
  let next = clear + 2;
  let width = minCodeSize + 1;
  let previous = -1;
  let at = 0;
  while (at < out.length) {
    const code = bits.take(width);
    if (code < 0 || code === clear + 1) return at;
    if (code === clear) {
      next = clear + 2;
      width = minCodeSize + 1;
      previous = -1;
      continue;
    }
    const known = code < next && (code < clear || code > clear + 1);
    if (!known && (code !== next || previous < 0)) return -1;
    // A code that is just being made is the previous string and its own first index.
    let walk = known ? code : previous;
    const length = known ? lengths[code] : lengths[previous] + 1;
    for (let i = at + lengths[walk] - 1; i >= at; i--) {
      if (i < out.length) out[i] = suffix[walk];
      walk = prefix[walk];
    }
    const first = out[at];
    if (!known && at + length <= out.length) out[at + length - 1] = first;
    if (previous >= 0 && next < MAX_CODES) {
      prefix[next] = previous;
      suffix[next] = first;
      lengths[next] = lengths[previous] + 1;
      next++;
      if (next === 1 << width && width < MAX_CODE_BITS) width++;
    }
    previous = code;
    at += length;
  }
  return out.length;
}
