import type { HuffmanSpec } from "./standard_tables.ts";

/** Symbols of the DC and AC tables of luma and chroma share one index space. */
export const DC_LUMA = 0;
export const AC_LUMA = 256;
export const DC_CHROMA = 512;
export const AC_CHROMA = 768;

/** Most tokens that one block gives: a DC token, 63 AC tokens and an end of block. */
export const MAX_BLOCK_TOKENS = 65;

/**
 * The Huffman symbols of a scan, before their codes are known: the best code depends on how often
 * each occurs. A token is `table + symbol` in the upper 16 bits and the extra bits in the lower.
 */
export class TokenStream {
  /** How often each `table + symbol` occurs. */
  readonly counts = new Int32Array(1024);
  length = 0;
  tokens: Int32Array;

  constructor(capacity: number) {
    this.tokens = new Int32Array(capacity);
  }

  /** Makes room for `count` tokens more. */
  reserve(count: number): void {
    if (this.length + count <= this.tokens.length) return;
    const grown = new Int32Array(2 * this.tokens.length + count);
    grown.set(this.tokens);
    this.tokens = grown;
  }

  /**
   * Codes one block (T.81 F.1.2): the DC difference and the AC coefficients at `indexes`, which
   * are the `count` ones that are not zero. The caller has reserved `MAX_BLOCK_TOKENS`.
   */
  addBlock(
    block: { quantized: Int32Array; indexes: Uint8Array; count: number },
    options: { predictor: number; dc: number; ac: number },
  ): void {
    const { quantized, indexes, count } = block;
    const { predictor, dc, ac } = options;
    const { tokens, counts } = this;
    let length = this.length;
    const difference = quantized[0] - predictor;
    // All ones for negative values: T.81 F.1.2.1 codes them as value - 1.
    const sign = difference >> 31;
    const size = 32 - Math.clz32((difference ^ sign) - sign);
    counts[dc + size]++;
    tokens[length++] = ((dc + size) << 16) | ((difference + sign) & ((1 << size) - 1));
    let previous = 0;
    for (let i = 0; i < count; i++) {
      const k = indexes[i];
      let run = k - previous - 1;
      previous = k;
      for (; run > 15; run -= 16) {
        counts[ac + 0xf0]++;
        tokens[length++] = (ac + 0xf0) << 16;
      }
      const value = quantized[k];
      const negative = value >> 31;
      const bits = 32 - Math.clz32((value ^ negative) - negative);
      const symbol = ac + (run << 4) + bits;
      counts[symbol]++;
      tokens[length++] = (symbol << 16) | ((value + negative) & ((1 << bits) - 1));
    }
    if (previous < 63) {
      counts[ac]++;
      tokens[length++] = ac << 16;
    }
    this.length = length;
  }
}

/**
 * Writes the tokens with the codes of `specs` (by table base) into `out` from `position` on, with
 * stuffed bytes (T.81 F.1.2.3) and the last byte filled with ones. Returns the position behind.
 * `out` must hold twice the bytes of `codedBytes`.
 */
export function writeTokens(
  stream: TokenStream,
  specs: ReadonlyMap<number, HuffmanSpec>,
  target: { out: Uint8Array; position: number },
): number {
  const codes = assignCodes(specs);
  const { tokens, length } = stream;
  const { out } = target;
  let { position } = target;
  let word = 0;
  let free = 32;
  for (let i = 0; i < length; i++) {
    const token = tokens[i];
    const code = codes[token >>> 16];
    const size = (token >>> 16) & 15;
    const bits = ((code >>> 5) << size) | (token & 0xffff);
    const count = (code & 31) + size;
    // At most 27 bits: an empty word (free = 32, by which no shift is possible) takes them all.
    if (count < free) {
      word = (word << count) | bits;
      free -= count;
      continue;
    }
    const rest = count - free;
    word = (word << free) | (bits >>> rest);
    if (((~word - 0x01010101) & word & 0x80808080) === 0) {
      out[position] = word >>> 24;
      out[position + 1] = word >>> 16;
      out[position + 2] = word >>> 8;
      out[position + 3] = word;
      position += 4;
    } else position = writeStuffed(out, position, word);
    word = bits;
    free = 32 - rest;
  }
  const padded = (word << (free & 31)) | ((1 << (free & 31)) - 1);
  for (let used = 0; used < 32 - free; used += 8) {
    const byte = (padded >>> (24 - used)) & 255;
    out[position++] = byte;
    if (byte === 0xff) out[position++] = 0;
  }
  return position;
}

/** Bytes of the scan before stuffing. */
export function codedBytes(stream: TokenStream, specs: ReadonlyMap<number, HuffmanSpec>): number {
  const codes = assignCodes(specs);
  let bits = 0;
  for (let i = 0; i < 1024; i++) bits += stream.counts[i] * ((codes[i] & 31) + (i & 15));
  return Math.ceil(bits / 8);
}

/** `code << 5 | length` of every `table + symbol` (T.81 C.2). */
function assignCodes(specs: ReadonlyMap<number, HuffmanSpec>): Int32Array {
  const codes = new Int32Array(1024);
  for (const [table, { counts, symbols }] of specs) {
    let code = 0;
    let index = 0;
    for (let length = 1; length <= 16; length++) {
      for (let i = 0; i < counts[length - 1]; i++) {
        codes[table + symbols[index++]] = (code++ << 5) | length;
      }
      code <<= 1;
    }
  }
  return codes;
}

function writeStuffed(out: Uint8Array, position: number, word: number): number {
  for (let shift = 24; shift >= 0; shift -= 8) {
    const byte = (word >>> shift) & 255;
    out[position++] = byte;
    if (byte === 0xff) out[position++] = 0;
  }
  return position;
}
