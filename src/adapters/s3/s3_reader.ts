import type { GetObjectCommandOutput, HeadObjectCommandOutput } from "@aws-sdk/client-s3";
import { AppError } from "../../errors.ts";
import { assertObjectKey } from "../../core/object_keys.ts";
import { assertByteRange, type ByteRange } from "../../core/byte_range.ts";
import type { CallOptions, ObjectBody, ObjectHead, ObjectReader } from "../../core/object_store.ts";
import { limitBody } from "./s3_body.ts";
import type { S3Context } from "./s3_context.ts";
import { isMissingObject } from "./s3_errors.ts";
import { parseRestoreHeader, parseStorageClass } from "./s3_storage_class.ts";

/** Reads objects from a bucket. */
export function createS3Reader(context: S3Context): ObjectReader {
  return {
    head: (key, options) => headObject(context, key, options),
    get: (key, options) => getObject(context, key, options),
  };
}

/**
 * `HEAD` of an object. A missing bucket looks like a missing object here (the answer has no body
 * to tell them apart); listing and `ping` do tell.
 */
export async function headObject(
  { connection, storageClasses, storedChecksums }: S3Context,
  key: string,
  options: CallOptions = {},
): Promise<ObjectHead | null> {
  assertObjectKey(key);
  let output: HeadObjectCommandOutput;
  try {
    output = await connection.call(options, ({ client, sdk, bucket, send }) => {
      const checksum = storedChecksums ? { ChecksumMode: "ENABLED" as const } : {};
      const input = { Bucket: bucket, Key: key, ...checksum };
      return client.send(new sdk.HeadObjectCommand(input), send);
    });
  } catch (error) {
    if (isMissingObject(error)) return null;
    throw error;
  }
  return {
    key,
    sizeBytes: requireSize(output.ContentLength),
    lastModifiedAt: output.LastModified ?? new Date(0),
    storageClass: parseStorageClass(output.StorageClass, storageClasses),
    etag: output.ETag ?? "",
    sha256: parseChecksum(output.ChecksumSHA256),
    restore: parseRestoreHeader(output.Restore),
  };
}

async function getObject(
  { connection }: S3Context,
  key: string,
  options: Parameters<ObjectReader["get"]>[1] = {},
): Promise<ObjectBody | null> {
  assertObjectKey(key);
  const { range, signal } = options;
  if (range !== undefined) assertByteRange(range);
  try {
    return await connection.call({ signal }, async ({ client, sdk, bucket, send }) => {
      const input = { Bucket: bucket, Key: key, ...toRangeInput(range) };
      const output = await client.send(new sdk.GetObjectCommand(input), send);
      return await toBody(output, { range, signal, idleTimeoutMs: connection.idleTimeoutMs });
    });
  } catch (error) {
    if (isMissingObject(error)) return null;
    throw error;
  }
}

function toRangeInput(range: ByteRange | undefined): { Range?: string } {
  if (range === undefined) return {};
  return { Range: `bytes=${range.offsetBytes}-${range.offsetBytes + range.lengthBytes - 1}` };
}

async function toBody(
  output: GetObjectCommandOutput,
  options: {
    readonly range: ByteRange | undefined;
    readonly signal: AbortSignal | undefined;
    readonly idleTimeoutMs: number;
  },
): Promise<ObjectBody> {
  // An empty body may come as none at all; the SDK adds methods to a web stream, nothing else.
  const source = (output.Body as ReadableStream<Uint8Array> | undefined) ??
    new ReadableStream<Uint8Array>({ start: (controller) => controller.close() });
  try {
    const sizeBytes = requireSize(output.ContentLength);
    const { idleTimeoutMs, signal } = options;
    return {
      sizeBytes,
      totalBytes: toTotalBytes(output.ContentRange, sizeBytes, options.range),
      stream: limitBody(source, { sizeBytes, idleTimeoutMs, signal }),
      etag: output.ETag ?? "",
      lastModifiedAt: output.LastModified ?? new Date(0),
    };
  } catch (error) {
    await source.cancel().catch(() => {});
    throw error;
  }
}

/** The whole object's size, once the answer is what was asked for. */
function toTotalBytes(
  contentRange: string | undefined,
  sizeBytes: number,
  range: ByteRange | undefined,
): number {
  if (range === undefined) return sizeBytes;
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange ?? "");
  const [first, last, total] = [Number(match?.[1]), Number(match?.[2]), Number(match?.[3])];
  const expected = Math.min(range.lengthBytes, total - range.offsetBytes);
  if (first !== range.offsetBytes || last - first + 1 !== sizeBytes || sizeBytes !== expected) {
    throw new AppError("storage_error", "The object store sent another range than was asked for");
  }
  return total;
}

/** Without a length a body that ends early could not be told from a whole one. */
function requireSize(contentLength: number | undefined): number {
  if (contentLength === undefined || !Number.isSafeInteger(contentLength) || contentLength < 0) {
    throw new AppError("storage_error", "The object store did not tell the size");
  }
  return contentLength;
}

/** Base64 to hex; null for a checksum of checksums (`…-3`), which says nothing about the bytes. */
function parseChecksum(checksum: string | undefined): string | null {
  if (checksum === undefined || !/^[A-Za-z0-9+/]{43}=$/.test(checksum)) return null;
  const bytes = Uint8Array.from(atob(checksum), (char) => char.charCodeAt(0));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
