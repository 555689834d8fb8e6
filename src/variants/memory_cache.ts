import type { ContentHash } from "../core/content_hash.ts";
import type { VariantKey } from "./ports.ts";

/** What an entry costs besides its bytes: keys, headers, map slots. */
const ENTRY_OVERHEAD_BYTES = 1024;

/** How often an entry is held: as it is, and in the reply that is repeated for a warm variant. */
const COPIES = 2;

/** Anything with bytes. */
interface Sized {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A cache of one process: least recently used out first, bounded by bytes. */
export interface MemoryCache<Entry extends Sized> {
  /** The entry, which becomes the most recently used one. */
  get(key: VariantKey): Entry | undefined;
  /** The entry, which stays as recently used as it was. */
  peek(key: VariantKey): Entry | undefined;
  /** Keeps an entry; one that is larger than the whole cache is not kept. */
  set(key: VariantKey, entry: Entry): void;
  delete(key: VariantKey): void;
  /** Removes every variant of an asset, or of all (null); returns how many there were. */
  deleteAll(hash: ContentHash | null): number;
  /** Bytes held at most, with overhead: never above the capacity. */
  readonly sizeBytes: number;
  readonly entryCount: number;
}

/** Creates a memory cache of at most `capacityBytes`; 0 keeps nothing. */
export function createMemoryCache<Entry extends Sized>(capacityBytes: number): MemoryCache<Entry> {
  // A Map iterates in insertion order: re-inserting on use makes the first key the oldest.
  const entries = new Map<string, Entry>();
  const variantsByHash = new Map<string, Set<string>>();
  let sizeBytes = 0;

  function remove(name: string): void {
    const entry = entries.get(name);
    if (!entry) return;
    entries.delete(name);
    sizeBytes -= costOf(entry);
    const hash = name.slice(0, name.indexOf("/"));
    const names = variantsByHash.get(hash);
    names?.delete(name);
    if (names?.size === 0) variantsByHash.delete(hash);
  }

  return {
    get(key) {
      const name = nameOf(key);
      const entry = entries.get(name);
      if (entry !== undefined) {
        entries.delete(name);
        entries.set(name, entry);
      }
      return entry;
    },
    peek: (key) => entries.get(nameOf(key)),
    set(key, entry) {
      const name = nameOf(key);
      remove(name);
      if (costOf(entry) > capacityBytes) return;
      entries.set(name, entry);
      sizeBytes += costOf(entry);
      const names = variantsByHash.get(key.hash) ?? new Set();
      variantsByHash.set(key.hash, names.add(name));
      while (sizeBytes > capacityBytes) remove(entries.keys().next().value!);
    },
    delete(key) {
      remove(nameOf(key));
    },
    deleteAll(hash) {
      const names = [...(hash === null ? entries.keys() : variantsByHash.get(hash) ?? [])];
      names.forEach(remove);
      return names.length;
    },
    get sizeBytes() {
      return sizeBytes;
    },
    get entryCount() {
      return entries.size;
    },
  };
}

function nameOf(key: VariantKey): string {
  return `${key.hash}/${key.variant}`;
}

function costOf(entry: Sized): number {
  return COPIES * entry.bytes.buffer.byteLength + ENTRY_OVERHEAD_BYTES;
}
