/**
 * The run-length coding of BMP (Microsoft, "Bitmap Compression").
 *
 * @module
 */

/** Where the runs lie and what they fill. */
export interface RleInput {
  readonly dataAt: number;
  readonly width: number;
  readonly height: number;
  /** 8 or 4. */
  readonly bits: number;
}

/**
 * Decodes runs into indices, one byte a pixel, rows as stored. Pixels that no run sets are 0; runs
 * that leave the picture are cut; data that ends early leaves the rest 0.
 */
export function decodeRle(bytes: Uint8Array, input: RleInput): Uint8Array {
  const { width, height, bits } = input;
  const out = new Uint8Array(width * height);
  const index = (at: number, i: number) =>
    bits === 8 ? bytes[at + i] : bytes[at + (i >> 1)] >> (i & 1 ? 0 : 4) & 15;
  let x = 0;
  let y = 0;
  const put = (value: number) => {
    if (x < width) out[y * width + x++] = value;
  };
  for (let at = input.dataAt; at + 1 < bytes.length && y < height;) {
    const count = bytes[at];
    const second = bytes[at + 1];
    at += 2;
    if (count > 0) {
      for (let i = 0; i < count; i++) put(bits === 8 ? second : second >> (i & 1 ? 0 : 4) & 15);
    } else if (second === 0) {
      x = 0;
      y++;
    } else if (second === 1) {
      return out;
    } else if (second === 2) {
      x += bytes[at] ?? 0;
      y += bytes[at + 1] ?? 0;
      at += 2;
    } else {
      for (let i = 0; i < second; i++) put(index(at, i));
      // Absolute runs are padded to 16 bits.
      const runBytes = bits === 8 ? second : (second + 1) >> 1;
      at += runBytes + (runBytes & 1);
    }
  }
  return out;
}
