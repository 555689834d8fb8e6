import { isContentHash } from "../core/content_hash.ts";
import { AppError } from "../errors.ts";
import type { AssetSelector } from "./ports.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Reads the name of an asset: a lower-case UUID, or a content hash.
 *
 * @throws {AppError} `invalid_id`.
 */
export function parseAssetSelector(text: string): AssetSelector {
  if (isContentHash(text)) return { by: "hash", hash: text };
  if (UUID.test(text)) return { by: "id", id: text };
  throw new AppError(
    "invalid_id",
    "An asset is named by its id (a lower-case UUID) or its content hash (64 hexadecimal digits)",
  );
}
