/** Where a buffer of unknown final size starts. */
const FIRST_BYTES = 64 * 1024;

/** Collects bytes up to a bound in one piece of memory. */
export class GrowingBuffer {
  readonly #maxBytes: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** @param options `expectedBytes` is what to have room for at first, when known. */
  constructor(options: { readonly maxBytes: number; readonly expectedBytes?: number | undefined }) {
    this.#maxBytes = options.maxBytes;
    const firstBytes = options.expectedBytes ?? FIRST_BYTES;
    this.#bytes = new Uint8Array(Math.min(firstBytes, options.maxBytes));
  }

  /** Appends all of `chunk`, or nothing and returns false when it would go over the bound. */
  append(chunk: Uint8Array): boolean {
    const needed = this.#length + chunk.byteLength;
    if (needed > this.#maxBytes) return false;
    if (needed > this.#bytes.byteLength) {
      const grown = new Uint8Array(
        Math.min(this.#maxBytes, Math.max(needed, this.#bytes.byteLength * 2)),
      );
      grown.set(this.view());
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = needed;
    return true;
  }

  /** What was collected; valid until the next `append`. */
  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** What was collected, of which nothing is kept here. */
  takeAll(): Uint8Array<ArrayBuffer> {
    const bytes = this.view();
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
    return bytes;
  }
}
