import type { ContentHash } from "../core/content_hash.ts";
import { hasCode } from "../errors.ts";
import type { AssetDirectory } from "./asset_directory.ts";
import { passExactLength } from "./exact_length.ts";
import type { AccessRecorder, AssetRecord, MissingReporter, OriginalReader } from "./ports.ts";
import { archived, checkReadable, checkVisible, mismatch, missing } from "./servable.ts";

/** What the original service is made of. */
export interface OriginalServiceOptions {
  readonly directory: AssetDirectory;
  readonly reader: OriginalReader;
  readonly missing: MissingReporter;
  readonly access?: AccessRecorder;
}

/** Delivers originals as they were uploaded. */
export interface OriginalService {
  /**
   * The facts of an asset that may be served now.
   *
   * @throws {AppError} see `servable.ts`; `catalog_unavailable`.
   */
  find(hash: ContentHash, caller: { readonly signed: boolean }): Promise<AssetRecord>;
  /**
   * Opens the bytes of an asset, or the part of them from `start` to `end` (inclusive). The stream
   * gives exactly the bytes that were asked for, or fails. A client that leaves cancels the stream,
   * which ends the reading.
   *
   * @throws {AppError} `asset_missing` (and reports it), `asset_archived`, `object_mismatch`, and
   * what the reader throws.
   */
  open(
    record: AssetRecord,
    range: { readonly start: number; readonly end: number } | null,
  ): Promise<ReadableStream<Uint8Array>>;
}

/** Creates the original service. */
export function createOriginalService(options: OriginalServiceOptions): OriginalService {
  const { directory, reader, access } = options;

  return {
    async find(hash, caller) {
      const record = checkVisible(await directory.find(hash), caller);
      checkReadable(record);
      return record;
    },
    async open(record, range) {
      const lengthBytes = range ? range.end - range.start + 1 : record.sizeBytes;
      try {
        const original = await reader.open(record.hash, range ? { range } : {});
        if (!original) {
          directory.forget(record.hash);
          await options.missing.reportMissing(record.hash);
          throw missing();
        }
        if (original.sizeBytes !== record.sizeBytes || original.lengthBytes !== lengthBytes) {
          await original.body.cancel();
          throw mismatch();
        }
        access?.record({
          hash: record.hash,
          variant: null,
          tier: "ORIGIN",
          bytes: lengthBytes,
          renderMs: null,
        });
        return passExactLength(original.body, lengthBytes);
      } catch (error) {
        if (!hasCode(error, "asset_archived")) throw error;
        directory.forget(record.hash);
        throw archived(record);
      }
    },
  };
}
