/** The code lengths and symbols of a Huffman table as a DHT segment carries them (T.81 B.2.4.2). */
export interface HuffmanSpec {
  /** Number of codes of length 1 to 16, at indexes 0 to 15. */
  readonly counts: Uint8Array;
  /** Symbols in order of increasing code length. */
  readonly symbols: Uint8Array;
}

/** T.81 table K.3, luminance DC. */
export const STANDARD_DC_LUMA: HuffmanSpec = spec(
  "00010501010101010100000000000000",
  "000102030405060708090a0b",
);

/** T.81 table K.4, chrominance DC. */
export const STANDARD_DC_CHROMA: HuffmanSpec = spec(
  "00030101010101010101010000000000",
  "000102030405060708090a0b",
);

/** T.81 table K.5, luminance AC. */
export const STANDARD_AC_LUMA: HuffmanSpec = spec(
  "0002010303020403050504040000017d",
  "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25" +
    "262728292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a83" +
    "8485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3" +
    "d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa",
);

/** T.81 table K.6, chrominance AC. */
export const STANDARD_AC_CHROMA: HuffmanSpec = spec(
  "00020102040403040705040400010277",
  "0001020311040521310612415107617113223281081442" +
    "91a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a434445464748494a535455" +
    "565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8" +
    "a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9" +
    "fa",
);

/** T.81 table K.1, luminance quantisation, row-major. */
// deno-fmt-ignore
export const STANDARD_QUANT_LUMA: Uint8Array = Uint8Array.of(
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
  14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
  18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
  49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
);

/** T.81 table K.2, chrominance quantisation, row-major. */
// deno-fmt-ignore
export const STANDARD_QUANT_CHROMA: Uint8Array = Uint8Array.of(
  17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
  24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
);

function spec(counts: string, symbols: string): HuffmanSpec {
  return { counts: fromHex(counts), symbols: fromHex(symbols) };
}

function fromHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
