/**
 * A zlib stream inflated piece by piece, so that memory follows a piece and not the picture.
 *
 * @module
 */

import { createInflate } from "node:zlib";
import { AppError } from "../../errors.ts";

/** Bytes per inflated piece: a few rows, and few enough trips through the event loop. */
const PIECE_BYTES = 128 * 1024;

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
  const pieces = source[Symbol.iterator]();
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
        const next = pieces.next();
        if (next.done) inflate.end();
        else inflate.write(next.value, feed);
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
