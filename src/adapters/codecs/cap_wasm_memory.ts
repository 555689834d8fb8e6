/**
 * A ceiling on the memory of a WebAssembly module, written into the module itself.
 *
 * Vendor builds allow 2 GiB or more. With a lower maximum, growing past it fails inside the module,
 * which then gives up on the picture: no hostile file can take the whole service with it.
 *
 * @module
 */

const PAGE_BYTES = 65_536;
const MEMORY_SECTION = 5;
const HEADER_BYTES = 8;

/**
 * Copies a module with its memory's maximum lowered to `maxBytes`. Memory that is imported is left
 * alone (WebAssembly core specification, sections 5.4.4 and 5.5.8).
 */
export function capWasmMemory(
  module: Uint8Array,
  maxBytes: number,
): Uint8Array<ArrayBuffer> {
  let at = HEADER_BYTES;
  while (at < module.length) {
    const id = module[at];
    const size = readLeb(module, at + 1);
    const body = size.next;
    const end = body + size.value;
    if (id !== MEMORY_SECTION) {
      at = end;
      continue;
    }
    const count = readLeb(module, body);
    const flags = module[count.next];
    const min = readLeb(module, count.next + 1);
    const max = (flags & 1) === 1 ? readLeb(module, min.next).value : Infinity;
    const pages = Math.max(min.value, Math.min(max, Math.floor(maxBytes / PAGE_BYTES)));
    if (count.value !== 1) break;
    const section = [...writeLeb(1), flags | 1, ...writeLeb(min.value), ...writeLeb(pages)];
    const parts = [id, ...writeLeb(section.length), ...section];
    const capped = new Uint8Array(at + parts.length + module.length - end);
    capped.set(module.subarray(0, at));
    capped.set(parts, at);
    capped.set(module.subarray(end), at + parts.length);
    return capped;
  }
  return new Uint8Array(module);
}

function readLeb(bytes: Uint8Array, at: number): { value: number; next: number } {
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 127) * 2 ** shift;
    if ((byte & 128) === 0) break;
  }
  return { value, next: at };
}

function writeLeb(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; bytes.length === 0 || rest > 0; rest = Math.floor(rest / 128)) {
    bytes.push((rest % 128) | (rest >= 128 ? 128 : 0));
  }
  return bytes;
}
