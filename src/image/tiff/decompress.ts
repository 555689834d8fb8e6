/**
 * The lossless compressions of TIFF: PackBits, LZW (TIFF 6.0 sections 9 and 13) and Deflate.
 *
 * Each fills a buffer whose size follows from the layout, never from the data.
 *
 * @module
 */

import { inflateSync } from "node:zlib";

const LZW_CLEAR = 256;
const LZW_END = 257;
const LZW_MAX_CODES = 4_096;

/** Runs of bytes; gives the number of bytes written. */
export function unpackBits(data: Uint8Array, out: Uint8Array): number {
  let at = 0;
  let to = 0;
  while (at < data.length && to < out.length) {
    const count = data[at++];
    if (count < 128) {
      const length = Math.min(count + 1, out.length - to, data.length - at);
      out.set(data.subarray(at, at + length), to);
      at += count + 1;
      to += length;
    } else if (count > 128) {
      const length = Math.min(257 - count, out.length - to);
      out.fill(data[at++], to, to + length);
      to += length;
    }
  }
  return to;
}

/** LZW with the highest bit first and widths that grow one code early; -1 for impossible codes. */
export function unpackLzw(data: Uint8Array, out: Uint8Array): number {
  const prefix = new Uint16Array(LZW_MAX_CODES + 1);
  const suffix = new Uint8Array(LZW_MAX_CODES + 1);
  const lengths = new Uint16Array(LZW_MAX_CODES + 1);
  for (let i = 0; i < 256; i++) {
    suffix[i] = i;
    lengths[i] = 1;
  }
  let width = 9;
  let next = LZW_END + 1;
  let previous = -1;
  let to = 0;
  let bit = 0;
  while (to < out.length && bit + width <= data.length * 8) {
    const at = bit >> 3;
    const word = (data[at] << 16 | (data[at + 1] ?? 0) << 8 | (data[at + 2] ?? 0)) >>> 0;
    const code = word >>> (24 - width - (bit & 7)) & ((1 << width) - 1);
    bit += width;
    if (code === LZW_END) break;
    if (code === LZW_CLEAR) {
      width = 9;
      next = LZW_END + 1;
      previous = -1;
      continue;
    }
    const known = code < next;
    if (!known && (code !== next || previous < 0)) return -1;
    let walk = known ? code : previous;
    const length = lengths[walk] + (known ? 0 : 1);
    for (let i = to + lengths[walk] - 1; i >= to; i--) {
      if (i < out.length) out[i] = suffix[walk];
      walk = prefix[walk];
    }
    const first = out[to];
    if (!known && to + length <= out.length) out[to + length - 1] = first;
    if (previous >= 0 && next < LZW_MAX_CODES) {
      prefix[next] = previous;
      suffix[next] = first;
      lengths[next] = lengths[previous] + 1;
      next++;
    }
    if (next >= (1 << width) - 1 && width < 12) width++;
    previous = code;
    to += length;
  }
  return Math.min(to, out.length);
}

/** A zlib stream, inflated no further than `out`; -1 when it is broken. */
export function unpackDeflate(data: Uint8Array, out: Uint8Array): number {
  try {
    // Some writers pad the last strip to a full one.
    const inflated = inflateSync(data, { maxOutputLength: out.length * 2 + 1_024 });
    const length = Math.min(inflated.length, out.length);
    out.set(inflated.subarray(0, length));
    return length;
  } catch {
    return -1;
  }
}

const REVERSED = Uint8Array.from({ length: 256 }, (_, byte) => {
  let turned = 0;
  for (let i = 0; i < 8; i++) turned |= (byte >> i & 1) << (7 - i);
  return turned;
});

/** Turns every byte around: for files whose lowest bit comes first. */
export function reverseBits(data: Uint8Array): Uint8Array {
  return data.map((byte) => REVERSED[byte]);
}
