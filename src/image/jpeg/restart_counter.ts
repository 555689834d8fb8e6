import type { BitReader } from "./bit_reader.ts";
import { JpegError } from "./jpeg_error.ts";

/** Counts MCUs up to the next restart marker and crosses it (T.81 E.2.4). */
export class RestartCounter {
  #left: number;
  #expected = 0;

  /** `interval` is the number of MCUs between markers, 0 for none. */
  constructor(readonly reader: BitReader, readonly interval: number) {
    this.#left = interval;
  }

  /**
   * How many of the next `wanted` MCUs can be decoded without a restart; at least 1. When a restart
   * is due it is crossed first, and `onRestart` is called. Throws `corrupt` when the marker is not
   * there.
   */
  take(wanted: number, onRestart: () => void): number {
    if (this.interval === 0) return wanted;
    if (this.#left === 0) {
      const { reader } = this;
      reader.endSegment();
      const { bytes, position } = reader;
      if (position >= bytes.length) {
        throw new JpegError("truncated", "The file ends where a restart marker should be");
      }
      if (bytes[position] !== 0xff || bytes[position + 1] !== 0xd0 + this.#expected) {
        throw new JpegError("corrupt", "A restart marker is missing or out of order");
      }
      this.#expected = (this.#expected + 1) & 7;
      reader.startSegment(position + 2);
      onRestart();
      this.#left = this.interval;
    }
    const taken = Math.min(wanted, this.#left);
    this.#left -= taken;
    return taken;
  }
}
