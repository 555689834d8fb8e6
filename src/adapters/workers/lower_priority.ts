/**
 * Letting other threads go first.
 *
 * @module
 */

import { setPriority } from "node:os";

/** Linux' own name for the thread that asks, where POSIX means its process. */
const CALLING_THREAD = 0;

/**
 * Lowers the scheduling priority of the calling thread, and of that thread alone.
 *
 * POSIX' nice value belongs to a process, Linux' to a thread (setpriority(2), "C library/kernel
 * differences"). So this is for Linux only: elsewhere it would slow down the whole service, and
 * does nothing. It cannot be taken back without privileges.
 *
 * @param niceness Steps to give way by, from 0 (none) to 19 (to everybody).
 * @returns Whether it was done.
 */
export function lowerPriority(niceness: number): boolean {
  if (niceness === 0 || Deno.build.os !== "linux") return false;
  try {
    setPriority(CALLING_THREAD, niceness);
    return true;
  } catch {
    // A sandbox may forbid it (`--deny-sys`, seccomp).
    return false;
  }
}
