/**
 * A zlib stream inflated piece by piece, so that memory follows a piece and not the picture.
 *
 * @module
 */

import { createInflate } from "node:zlib";
import { AppError } from "../../errors.ts";

/** Bytes per inflated piece: some rows, and few enough trips through the event loop. */
const PIECE_BYTES = 512 * 1024;

/**
 * Compressed bytes written at once. Deno 2.5 nests one call per piece that comes of a write: at the
 * highest ratio of deflate (1032:1) this makes 130 of them, where some 500 exhaust the stack.
 */
const WRITE_BYTES = 64 * 1024;

/**
 * Inflates `source` and hands each piece to `take`, which returns false once it has enough: a
 * stream that goes on for gigabytes is left there.
 *
 * @returns Whether `take` said that it has enough; false when the stream ended or broke off before.
 * @throws {AppError} `image_undecodable` when the stream is corrupt; and what `source` or `take` throw.
 */
export function inflatePieces(
  source: Iterable<Uint8Array>,
  take: (piece: Uint8Array) => boolean,
): Promise<boolean> {
  const inflate = createInflate({ chunkSize: PIECE_BYTES });
  const writes = splitWrites(source);
  return new Promise((resolve, reject) => {
    let settled = false;
    const settle = (finish: () => void) => {
      if (settled) return;
      settled = true;
      inflate.destroy();
      finish();
    };
    const feed = () => {
      if (settled) return;
      try {
        const next = writes.next();
        if (next.done) inflate.end();
        // Not called directly: Deno 2.5 calls back from within the write, so the stack would grow.
        else inflate.write(next.value, () => queueMicrotask(feed));
      } catch (error) {
        settle(() => reject(error));
      }
    };
    inflate.on("data", (piece: Uint8Array) => {
      if (settled) return;
      try {
        if (!take(piece)) settle(() => resolve(true));
      } catch (error) {
        settle(() => reject(error));
      }
    });
    inflate.on("end", () => settle(() => resolve(false)));
    inflate.on("error", (cause: Error & { code?: string }) => {
      if (cause.code === "Z_BUF_ERROR") settle(() => resolve(false));
      else {
        settle(() =>
          reject(new AppError("image_undecodable", "The PNG's image data is corrupt", { cause }))
        );
      }
    });
    feed();
  });
}

function* splitWrites(source: Iterable<Uint8Array>): Generator<Uint8Array, void, void> {
  for (const bytes of source) {
    for (let at = 0; at < bytes.length; at += WRITE_BYTES) {
      yield bytes.subarray(at, at + WRITE_BYTES);
    }
  }
}
