/**
 * Reading integers and names out of bytes. Offsets past the end read as zero bytes, so callers check
 * lengths first.
 *
 * @module
 */

/** Unsigned 16 bits, big-endian. */
export function u16be(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8 | bytes[at + 1]) & 0xffff;
}

/** Unsigned 32 bits, big-endian. */
export function u32be(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
}

/** Unsigned 16 bits, little-endian. */
export function u16le(bytes: Uint8Array, at: number): number {
  return (bytes[at] | bytes[at + 1] << 8) & 0xffff;
}

/** Unsigned 24 bits, little-endian. */
export function u24le(bytes: Uint8Array, at: number): number {
  return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16;
}

/** Unsigned 32 bits, little-endian. */
export function u32le(bytes: Uint8Array, at: number): number {
  return (bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24) >>> 0;
}

/** Signed 32 bits, little-endian. */
export function i32le(bytes: Uint8Array, at: number): number {
  return u32le(bytes, at) | 0;
}

/** Bytes as Latin-1 text: for signatures and four-letter codes. */
export function latin1(bytes: Uint8Array, at: number, length: number): string {
  let text = "";
  const end = Math.min(at + length, bytes.length);
  for (let i = at; i < end; i++) text += String.fromCharCode(bytes[i]);
  return text;
}

/** Whether `bytes` has this Latin-1 text at `at`. */
export function hasText(bytes: Uint8Array, at: number, text: string): boolean {
  if (at + text.length > bytes.length) return false;
  for (let i = 0; i < text.length; i++) {
    if (bytes[at + i] !== text.charCodeAt(i)) return false;
  }
  return true;
}
