/**
 * Random access to the bytes of a file, in memory or behind ranged reads of a store.
 *
 * @module
 */

/** Bytes that can be read at any offset. */
export interface ByteSource {
  /** Length of the file in bytes. */
  readonly size: number;
  /**
   * Returns `length` bytes from `offset`, fewer only at the end of the file. The caller asks for
   * ranges inside the file only and does not write to what it gets.
   */
  read(offset: number, length: number): Promise<Uint8Array> | Uint8Array;
}

/** A source over bytes in memory; reads are views, not copies. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.byteLength,
    read: (offset, length) => bytes.subarray(offset, offset + length),
  };
}
