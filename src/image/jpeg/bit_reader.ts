import { JpegError } from "./jpeg_error.ts";

/** Words that the window holds; small enough to stay in the processor's cache. */
const WINDOW_WORDS = 8192;

/**
 * Words that decoding one MCU can use at most: 10 blocks (T.81 B.2.3) of 64 symbols of at most
 * 16 + 15 bits. The decoder looks at its position once an MCU, not once a symbol.
 */
const MAX_MCU_WORDS = 640;

/**
 * Bytes other than zero that may be left when the picture is complete. Some writers leave a few;
 * more of them mean that the decoder lost its place in corrupt data.
 */
const MAX_LEFTOVER_BYTES = 8;

const MARKER_PREFIX = 0xff;

/**
 * Reads the entropy-coded bits of one segment (the data between two markers).
 *
 * Stuffed bytes (T.81 B.1.1.5) are removed once, into a window of big-endian 32-bit words, so
 * that the decoder gets 32 bits of look-ahead from two registers without a refill loop:
 * `peek = (current << offset) | ((next >>> 1) >>> (31 - offset))`.
 *
 * Hot loops keep `current`, `next`, `offset` and `index` in locals: they take them from `state`
 * when they start, give them back when they stop, and call `refill` when `index >= limit`.
 */
export class BitReader {
  /** Current word, next word, bits used of the current word (0–31), index of the next word. */
  readonly state = new Int32Array(4);
  readonly words = new Int32Array(WINDOW_WORDS + MAX_MCU_WORDS + 8);
  /** When the index reaches this, `refill` must be called before the next MCU. */
  limit = 0;
  /** Position of the first byte that is not yet in the window; after the segment: its marker. */
  position: number;
  #filled = 0;
  /** Bits in the last word that are data; 32 unless the segment ended inside the word. */
  #padBits = 0;
  #ended = false;

  constructor(readonly bytes: Uint8Array, position: number) {
    this.position = position;
    this.startSegment(position);
  }

  /** Starts to read the segment whose first byte is at `position`. */
  startSegment(position: number): void {
    this.position = position;
    this.#filled = 0;
    this.#padBits = 0;
    this.#ended = false;
    this.#fill();
    this.state[0] = this.words[0];
    this.state[1] = this.words[1];
    this.state[2] = 0;
    this.state[3] = 1;
  }

  /** Moves the window on. Throws `truncated` when the segment has no more bits. */
  refill(): void {
    const state = this.state;
    const first = state[3] - 1;
    if (this.#ended) {
      this.#checkNotOverrun();
      return;
    }
    this.words.copyWithin(0, first, this.#filled);
    this.#filled -= first;
    state[3] = 1;
    this.#fill();
    // A short tail may have been padded: `next` could have been a word that is only now read.
    state[1] = this.words[1];
  }

  /** Reads `count` bits (1–16). For rare fields; hot loops do this inline. */
  readBits(count: number): number {
    const state = this.state;
    const peek = (state[0] << state[2]) | ((state[1] >>> 1) >>> (31 - state[2]));
    state[2] += count;
    if (state[2] >= 32) {
      state[2] -= 32;
      state[0] = state[1];
      state[1] = this.words[++state[3]];
    }
    return peek >>> (32 - count);
  }

  /**
   * Ends the segment: throws `truncated` when more bits were used than there were, `corrupt` when
   * more than `MAX_LEFTOVER_BYTES` are left that are not zero padding. Afterwards `position` is at the marker that
   * ended the segment, or at the end of the bytes.
   */
  endSegment(): void {
    this.#checkNotOverrun();
    const state = this.state;
    // Whole bytes left in the window: skip the rest of the byte that is in use (T.81 F.1.2.3).
    let leftover = 0;
    let bit = (state[3] - 1) * 32 + ((state[2] + 7) & ~7);
    for (;;) {
      const available = this.#filled * 32 - this.#padBits;
      for (; bit < available; bit += 8) {
        if (((this.words[bit >> 5] >>> (24 - (bit & 31))) & 255) === 0) continue;
        if (++leftover > MAX_LEFTOVER_BYTES) {
          throw new JpegError("corrupt", "The entropy-coded data is longer than the picture");
        }
      }
      if (this.#ended) return;
      this.#filled = 0;
      bit = 0;
      this.#fill();
    }
  }

  #checkNotOverrun(): void {
    const used = (this.state[3] - 1) * 32 + this.state[2];
    if (this.#ended && used > this.#filled * 32 - this.#padBits) {
      throw new JpegError("truncated", "The entropy-coded data ends before the picture does");
    }
  }

  /** Removes stuffing from `position` on until the window is full or a marker comes. */
  #fill(): void {
    const { bytes, words } = this;
    const end = bytes.length;
    let position = this.position;
    let filled = this.#filled;
    let word = 0;
    let count = 0;
    while (filled < WINDOW_WORDS) {
      if (count === 0) {
        while (filled < WINDOW_WORDS && position + 4 <= end) {
          const a = bytes[position];
          const b = bytes[position + 1];
          const c = bytes[position + 2];
          const d = bytes[position + 3];
          if (a === 255 || b === 255 || c === 255 || d === 255) break;
          words[filled++] = (a << 24) | (b << 16) | (c << 8) | d;
          position += 4;
        }
        if (filled === WINDOW_WORDS) break;
      }
      if (position >= end) {
        this.#ended = true;
        break;
      }
      const byte = bytes[position++];
      if (byte === MARKER_PREFIX) {
        // Fill bytes (T.81 B.1.1.2): any number of 0xFF may stand before the second byte.
        let second = position;
        while (second < end && bytes[second] === MARKER_PREFIX) second++;
        if (second >= end || bytes[second] !== 0) {
          position = second >= end ? end : second - 1;
          this.#ended = true;
          break;
        }
        position = second + 1;
      }
      word = (word << 8) | byte;
      if (++count === 4) {
        words[filled++] = word;
        word = 0;
        count = 0;
      }
    }
    if (this.#ended) {
      this.#padBits = 0;
      if (count > 0) {
        words[filled++] = word << (32 - 8 * count);
        this.#padBits = 32 - 8 * count;
      }
      words.fill(0, filled, filled + MAX_MCU_WORDS + 8);
      this.limit = filled + 1;
    } else this.limit = filled - MAX_MCU_WORDS;
    this.#filled = filled;
    this.position = position;
  }
}
