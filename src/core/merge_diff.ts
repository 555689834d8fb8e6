/** How two sorted streams are compared. */
export interface MergeDiffOptions<Left, Right> {
  readonly leftKey: (item: Left) => string;
  readonly rightKey: (item: Right) => string;
  /** Negative, zero or positive; the order of both streams. */
  readonly compare: (a: string, b: string) => number;
  /** Called once per key, in order, with what either stream has under it. */
  readonly visit: (left: Left | null, right: Right | null) => void;
}

/**
 * Walks two streams of pages side by side, each strictly ascending by its key, and tells for each
 * key which of them has it. Holds one page of each, whatever their length.
 *
 * A stream out of order would make things that exist look missing, so it is refused.
 *
 * @throws {Error} When a stream repeats a key or goes back; and whatever a stream throws, so that
 * having returned means that both were read to the end.
 */
export async function mergeDiff<Left, Right>(
  leftPages: AsyncIterable<readonly Left[]>,
  rightPages: AsyncIterable<readonly Right[]>,
  options: MergeDiffOptions<Left, Right>,
): Promise<void> {
  const { compare, visit } = options;
  const left = new Cursor(leftPages, options.leftKey, compare);
  const right = new Cursor(rightPages, options.rightKey, compare);
  try {
    await left.fill();
    await right.fill();
    while (left.item !== undefined || right.item !== undefined) {
      const order = left.item === undefined
        ? 1
        : right.item === undefined
        ? -1
        : compare(left.key, right.key);
      visit(order <= 0 ? left.item! : null, order >= 0 ? right.item! : null);
      // Waiting only at the end of a page: a promise per item would double the time.
      if (order <= 0 && !left.next()) await left.fill();
      if (order >= 0 && !right.next()) await right.fill();
    }
  } finally {
    await Promise.all([left.close(), right.close()]);
  }
}

/** A place in a stream of pages. */
class Cursor<T> {
  item: T | undefined;
  key = "";
  readonly #pages: AsyncIterator<readonly T[]>;
  readonly #keyOf: (item: T) => string;
  readonly #compare: (a: string, b: string) => number;
  #page: readonly T[] = [];
  #at = 0;
  #started = false;
  #ended = false;

  constructor(
    pages: AsyncIterable<readonly T[]>,
    keyOf: (item: T) => string,
    compare: (a: string, b: string) => number,
  ) {
    this.#pages = pages[Symbol.asyncIterator]();
    this.#keyOf = keyOf;
    this.#compare = compare;
  }

  /** Moves on within the page; false when another page is needed. */
  next(): boolean {
    if (this.#at >= this.#page.length) return false;
    const item = this.#page[this.#at++];
    const key = this.#keyOf(item);
    if (this.#started && this.#compare(this.key, key) >= 0) {
      throw new Error(`Cannot merge a stream out of order: ${key} came after ${this.key}`);
    }
    this.#started = true;
    this.item = item;
    this.key = key;
    return true;
  }

  /** Moves on to the next item, over as many empty pages as there are. */
  async fill(): Promise<void> {
    while (!this.#ended && !this.next()) {
      const { value, done } = await this.#pages.next();
      if (done) {
        this.#ended = true;
        this.item = undefined;
      } else {
        this.#page = value;
        this.#at = 0;
      }
    }
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.#pages.return?.();
  }
}
