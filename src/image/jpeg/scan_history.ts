import { JpegError } from "./jpeg_error.ts";
import type { ScanHeader } from "./marker_reader.ts";

/**
 * Follows how precisely each coefficient of a progressive picture is known, and refuses scans that
 * do not continue where the ones before stopped (T.81 G.1.1.1).
 */
export class ScanHistory {
  /** Bit position reached by coefficient `k` of a component, at `64 * component + k`; -1: none. */
  readonly #low: Int8Array;

  constructor(readonly componentCount: number) {
    this.#low = new Int8Array(64 * componentCount).fill(-1);
  }

  /** Takes the next scan into account. Throws `corrupt` when it does not fit. */
  add(scan: ScanHeader): void {
    const { first, last, high, low } = scan;
    const bandIsValid = first === 0 ? last === 0 : last >= first && last <= 63;
    if (!bandIsValid || (first > 0 && scan.components.length > 1)) {
      throw new JpegError("corrupt", "A progressive scan codes an impossible band");
    }
    if (low > 13 || (high !== 0 && low !== high - 1)) {
      throw new JpegError("corrupt", "A progressive scan has an impossible bit position");
    }
    for (const { index } of scan.components) {
      if (first > 0 && this.#low[64 * index] < 0) {
        throw new JpegError("corrupt", "A progressive scan of AC coefficients comes before the DC");
      }
      for (let k = first; k <= last; k++) {
        if (this.#low[64 * index + k] !== (high === 0 ? -1 : high)) {
          throw new JpegError("corrupt", "A progressive scan does not follow the one before");
        }
        this.#low[64 * index + k] = low;
      }
    }
  }

  /** Whether every component has its DC coefficients: without, there is no picture. */
  hasAllComponents(): boolean {
    for (let at = 0; at < this.#low.length; at += 64) if (this.#low[at] < 0) return false;
    return true;
  }

  /** Whether every coefficient is known to its last bit. */
  isComplete(): boolean {
    return this.#low.every((low) => low === 0);
  }
}
