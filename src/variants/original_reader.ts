import { formatRawKey } from "../core/object_keys.ts";
import type { ObjectReader } from "../core/object_store.ts";
import type { OriginalReader } from "./ports.ts";

/** Reads originals by their hash from an object store. */
export function createOriginalReader(store: ObjectReader): OriginalReader {
  return {
    async open(hash, { range, signal }) {
      const object = await store.get(formatRawKey(hash), {
        signal,
        range: range && { offsetBytes: range.start, lengthBytes: range.end - range.start + 1 },
      });
      return object && {
        body: object.stream,
        lengthBytes: object.sizeBytes,
        sizeBytes: object.totalBytes,
      };
    },
  };
}
