/**
 * A window over a {@linkcode ByteSource} with the budgets that keep header parsing bounded.
 *
 * @module
 */

import { AppError } from "../../errors.ts";
import type { ByteSource } from "./byte_source.ts";

/** What one probe may cost, whatever the header claims. */
export const PROBE_LIMITS = {
  /** Bytes fetched from the source over one probe. */
  loadBytes: 32 << 20,
  /** Longest single structure that is read whole: a JPEG segment, a `meta` box, a TIFF directory. */
  structureBytes: 8 << 20,
  /** Segments, chunks, blocks, boxes, directory entries visited over one probe. */
  steps: 1_000_000,
  /** Frames or pages counted; a longer file reports this many. */
  frames: 100_000,
} as const;

/** Bytes fetched at once: one window, doubled while reading goes on in sequence. */
const WINDOW_BYTES = 64 << 10;
const MAX_WINDOW_BYTES = 1 << 20;

/** Reads a header through a window, counting steps and bytes against {@linkcode PROBE_LIMITS}. */
export class HeaderReader {
  readonly size: number;
  #source: ByteSource;
  #window: Uint8Array = new Uint8Array(0);
  #start = 0;
  #loadedBytes = 0;
  #steps = 0;
  #windowBytes = WINDOW_BYTES;

  constructor(source: ByteSource) {
    this.#source = source;
    this.size = source.size;
  }

  /** Bytes left to read under the budget. */
  get loadBytesLeft(): number {
    return PROBE_LIMITS.loadBytes - this.#loadedBytes;
  }

  /** The bytes if the window has them: the path without a promise. */
  peek(offset: number, length: number): Uint8Array | null {
    const from = offset - this.#start;
    if (from < 0 || from + length > this.#window.length) return null;
    return this.#window.subarray(from, from + length);
  }

  /**
   * Exactly `length` bytes from `offset`, valid until the next call.
   *
   * @throws {AppError} `image_truncated` when the file is shorter, `image_budget_exceeded` when the
   * structure or the sum of all reads is over {@linkcode PROBE_LIMITS}.
   */
  async load(offset: number, length: number): Promise<Uint8Array> {
    const seen = this.peek(offset, length);
    if (seen) return seen;
    if (offset + length > this.size) throw truncated();
    if (length > PROBE_LIMITS.structureBytes) throw overBudget();
    const sequential = offset >= this.#start && offset <= this.#start + this.#window.length;
    this.#windowBytes = sequential && this.#window.length > 0
      ? Math.min(this.#windowBytes * 2, MAX_WINDOW_BYTES)
      : WINDOW_BYTES;
    const want = Math.min(Math.max(length, this.#windowBytes), this.size - offset);
    if (want > this.loadBytesLeft) throw overBudget();
    this.#loadedBytes += want;
    const bytes = await this.#source.read(offset, want);
    if (bytes.length < length) throw truncated();
    this.#window = bytes;
    this.#start = offset;
    return bytes.subarray(0, length);
  }

  /** Up to `length` bytes from `offset`: fewer at the end of the file, none past it. */
  async loadSome(offset: number, length: number): Promise<Uint8Array> {
    const available = Math.max(0, Math.min(length, this.size - offset));
    return available === 0 ? new Uint8Array(0) : await this.load(offset, available);
  }

  /** Counts one segment, chunk, block or entry. Call it in every loop. */
  step(): void {
    if (++this.#steps > PROBE_LIMITS.steps) throw overBudget();
  }
}

/** The header is broken or contradicts itself. */
export function undecodable(detail: string): AppError {
  return new AppError("image_undecodable", detail);
}

/** The file ends inside its header. */
export function truncated(): AppError {
  return new AppError("image_truncated", "The image ends inside its header");
}

/** A well-formed image of a kind that is not rendered. */
export function unsupported(detail: string): AppError {
  return new AppError("unsupported_image", detail);
}

function overBudget(): AppError {
  return new AppError("image_budget_exceeded", "The image header is larger than it may be");
}
