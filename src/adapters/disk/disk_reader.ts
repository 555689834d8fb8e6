import { AppError } from "../../errors.ts";
import { assertByteRange, type ByteRange } from "../../core/byte_range.ts";
import type { ObjectBody, ObjectHead } from "../../core/object_store.ts";
import { isReadable } from "../../core/storage_class.ts";
import type { DiskTier } from "./disk_tiers.ts";
import { isNotFound, toDiskError } from "./disk_errors.ts";

/** Bytes read at once; at most two such buffers wait per stream. */
const READ_CHUNK_BYTES = 256 * 1024;

/** The file's facts as an object's, or null when the path is no file. */
export async function statObject(
  path: string,
  key: string,
): Promise<Omit<ObjectHead, "storageClass" | "restore"> | null> {
  try {
    const info = await Deno.lstat(path);
    return info.isFile ? toFacts(info, key) : null;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** Opens an object for reading, or null when the path is no file. */
export async function openObject(
  path: string,
  options: {
    readonly key: string;
    readonly readTier: () => Promise<DiskTier>;
    readonly range?: ByteRange | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<ObjectBody | null> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
  try {
    const info = await file.stat();
    if (!info.isFile) {
      file.close();
      return null;
    }
    if (!isReadable(await options.readTier())) {
      throw new AppError("asset_archived", "The object is archived and must be restored first");
    }
    const facts = toFacts(info, options.key);
    const { offsetBytes, lengthBytes } = clipRange(options.range, facts.sizeBytes);
    if (offsetBytes > 0) await file.seek(offsetBytes, Deno.SeekMode.Start);
    options.signal?.throwIfAborted();
    return {
      stream: streamFile(file, lengthBytes, options.signal),
      sizeBytes: lengthBytes,
      totalBytes: facts.sizeBytes,
      etag: facts.etag,
      lastModifiedAt: facts.lastModifiedAt,
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * Cuts a range at the end of the object.
 *
 * @throws {AppError} `range_not_satisfiable` when it begins at or past the end.
 */
export function clipRange(range: ByteRange | undefined, totalBytes: number): ByteRange {
  if (range === undefined) return { offsetBytes: 0, lengthBytes: totalBytes };
  const { offsetBytes, lengthBytes } = range;
  assertByteRange(range);
  if (offsetBytes >= totalBytes) {
    throw new AppError("range_not_satisfiable", "The range begins past the end of the object");
  }
  return { offsetBytes, lengthBytes: Math.min(lengthBytes, totalBytes - offsetBytes) };
}

/** Streams `sizeBytes` from the file's position, then closes it. */
function streamFile(
  file: Deno.FsFile,
  sizeBytes: number,
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array> {
  let remaining = sizeBytes;
  let closed = false;
  let onAbort: (() => void) | undefined;
  const close = (): void => {
    if (closed) return;
    closed = true;
    file.close();
    if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (remaining === 0) {
        close();
        controller.close();
        return;
      }
      onAbort = () => {
        close();
        controller.error(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
    },
    async pull(controller) {
      try {
        const buffer = new Uint8Array(Math.min(READ_CHUNK_BYTES, remaining));
        const count = await file.read(buffer);
        if (closed) return;
        if (count === null) {
          throw new AppError("storage_error", "The object is shorter than the store said");
        }
        remaining -= count;
        controller.enqueue(buffer.subarray(0, count));
        if (remaining > 0) return;
        close();
        controller.close();
      } catch (error) {
        if (closed) return;
        close();
        controller.error(toDiskError(error));
      }
    },
    cancel: close,
  }, { highWaterMark: 0 });
}

function toFacts(
  info: Deno.FileInfo,
  key: string,
): Omit<ObjectHead, "storageClass" | "restore"> {
  const lastModifiedAt = info.mtime ?? new Date(0);
  // Files are never changed in place. Not the time of change: a copy shares its source's file and
  // touches it. Inode numbers are used again, but not for a file born in the same millisecond.
  const parts = [info.ino ?? 0, info.size, (info.birthtime ?? lastModifiedAt).getTime()];
  return {
    key,
    sizeBytes: info.size,
    lastModifiedAt,
    etag: `"${parts.map((part) => part.toString(16)).join("-")}"`,
    sha256: null,
  };
}
