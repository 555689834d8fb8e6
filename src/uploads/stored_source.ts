import type { ByteSource } from "../core/image_header/byte_source.ts";
import type { ObjectReader } from "../core/object_store.ts";
import { AppError } from "../errors.ts";

/**
 * Random access to a stored object, so that a header of whatever length is read from what is
 * really in the store.
 */
export function createStoredSource(
  objects: Pick<ObjectReader, "get">,
  object: { readonly key: string; readonly sizeBytes: number; readonly signal: AbortSignal },
): ByteSource {
  return {
    size: object.sizeBytes,
    async read(offset, length) {
      if (length === 0) return new Uint8Array(0);
      const body = await objects.get(object.key, {
        range: { offsetBytes: offset, lengthBytes: length },
        signal: object.signal,
      });
      if (body === null) throw new AppError("object_mismatch", "The stored object has gone");
      const bytes = new Uint8Array(body.sizeBytes);
      let filled = 0;
      for await (const chunk of body.stream) {
        bytes.set(chunk, filled);
        filled += chunk.byteLength;
      }
      return bytes;
    },
  };
}
