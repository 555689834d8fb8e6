/**
 * Giving large buffers back at once.
 *
 * @module
 */

/**
 * Frees the memory behind `bytes`, whose buffer must be no one else's, and leaves it empty. A render
 * allocates few objects and large buffers, so the collector comes late: unasked, several pictures'
 * worth of dead pixels pile up.
 */
export function releaseBytes(bytes: Uint8Array): void {
  // A buffer that is transferred to size 0 loses its memory there and then (ECMA-262 25.1.3.2).
  if (bytes.buffer instanceof ArrayBuffer && !bytes.buffer.detached) bytes.buffer.transfer(0);
}
