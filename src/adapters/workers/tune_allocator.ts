/**
 * Telling the C library to give memory back.
 *
 * @module
 */

/** `M_MMAP_THRESHOLD` of glibc's malloc.h. */
const M_MMAP_THRESHOLD = -3;
/** glibc's own initial value; setting it ends its growth to 32 MiB. */
const THRESHOLD_BYTES = 128 * 1024;

/**
 * Makes glibc take every large block from the kernel and return it when it is freed.
 *
 * glibc raises that threshold to the size of whatever was freed, and from then on keeps pixel
 * buffers in heaps of its own, one per thread, that fragment and hardly shrink: the resident size
 * grows to several times of what is alive (mallopt(3), "dynamic mmap threshold"). Elsewhere than on
 * Linux with glibc, or without permission for foreign functions, this does nothing.
 *
 * @returns Whether the setting was made.
 */
export function returnFreedMemory(): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    const libc = Deno.dlopen("libc.so.6", {
      mallopt: { parameters: ["i32", "i32"], result: "i32" },
    });
    const accepted = libc.symbols.mallopt(M_MMAP_THRESHOLD, THRESHOLD_BYTES) === 1;
    libc.close();
    return accepted;
  } catch {
    return false;
  }
}
