import type { StorageClass as SdkStorageClass } from "@aws-sdk/client-s3";
import { AppError } from "../../errors.ts";
import type { ObjectHead } from "../../core/object_store.ts";
import type { S3Context } from "./s3_context.ts";
import { hasS3Status, isMissingObject } from "./s3_errors.ts";

/** Parts that the server copies at once. R2 allows two or three per upload. */
const PARTS_AT_ONCE = 2;

/** Where a copy goes and how. */
export interface CopyTarget {
  readonly to: string;
  /** Replaces the source's; undefined keeps the source's metadata (single copies only). */
  readonly contentType?: string | undefined;
  /** The store's own name of a class. */
  readonly storageClass?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Copies an object inside the bucket, in parts where it is too large for one. The source must still
 * be the version that `source` describes.
 *
 * @returns False when the source vanished meanwhile.
 */
export async function copyObject(
  context: S3Context,
  source: ObjectHead,
  target: CopyTarget,
): Promise<boolean> {
  try {
    if (source.sizeBytes <= context.copyPartBytes) await copyWhole(context, source, target);
    else await copyInParts(context, source, target);
    return true;
  } catch (error) {
    if (isMissingObject(error)) return false;
    if (!hasS3Status(error, 412)) throw error;
    throw new AppError("object_mismatch", "The object was replaced meanwhile", { cause: error });
  }
}

async function copyWhole(
  { connection }: S3Context,
  source: ObjectHead,
  target: CopyTarget,
): Promise<void> {
  const policy = { signal: target.signal, timeoutMs: connection.copyTimeoutMs };
  await connection.call(policy, ({ client, sdk, bucket, send }) => {
    const command = new sdk.CopyObjectCommand({
      Bucket: bucket,
      Key: target.to,
      CopySource: toCopySource(bucket, source.key),
      CopySourceIfMatch: source.etag,
      ...toMetadata(target),
    });
    return client.send(command, send);
  });
}

function toMetadata(
  { contentType, storageClass }: CopyTarget,
): { ContentType?: string; MetadataDirective: "REPLACE" | "COPY"; StorageClass?: SdkStorageClass } {
  return {
    ...(contentType === undefined
      ? { MetadataDirective: "COPY" as const }
      : { MetadataDirective: "REPLACE" as const, ContentType: contentType }),
    ...(storageClass === undefined ? {} : { StorageClass: storageClass as SdkStorageClass }),
  };
}

async function copyInParts(
  context: S3Context,
  source: ObjectHead,
  target: CopyTarget,
): Promise<void> {
  const { connection } = context;
  const { signal } = target;
  const uploadId = await connection.call({ signal }, async ({ client, sdk, bucket, send }) => {
    const { ContentType, StorageClass } = toMetadata(target);
    const command = new sdk.CreateMultipartUploadCommand({
      Bucket: bucket,
      Key: target.to,
      ...(ContentType === undefined ? {} : { ContentType }),
      ...(StorageClass === undefined ? {} : { StorageClass }),
    });
    return (await client.send(command, send)).UploadId;
  });
  try {
    const etags = await copyParts(context, source, { ...target, uploadId });
    await connection.call(
      { signal, timeoutMs: connection.copyTimeoutMs },
      ({ client, sdk, bucket, send }) =>
        client.send(
          new sdk.CompleteMultipartUploadCommand({
            Bucket: bucket,
            Key: target.to,
            UploadId: uploadId,
            MultipartUpload: {
              Parts: etags.map((ETag, index) => ({ ETag, PartNumber: index + 1 })),
            },
          }),
          send,
        ),
    );
  } catch (error) {
    await abortCopy(context, target.to, uploadId);
    throw error;
  }
}

/** Copies all parts, a few at a time. When one fails, the others are waited for. */
async function copyParts(
  context: S3Context,
  source: ObjectHead,
  target: CopyTarget & { readonly uploadId: string | undefined },
): Promise<(string | undefined)[]> {
  const count = Math.ceil(source.sizeBytes / context.copyPartBytes);
  const etags: (string | undefined)[] = new Array(count);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      try {
        etags[index] = await copyPart(context, source, { ...target, index });
      } catch (error) {
        next = count;
        throw error;
      }
    }
  };
  const workers = Array.from({ length: Math.min(PARTS_AT_ONCE, count) }, work);
  for (const result of await Promise.allSettled(workers)) {
    if (result.status === "rejected") throw result.reason;
  }
  return etags;
}

async function copyPart(
  { connection, copyPartBytes }: S3Context,
  source: ObjectHead,
  target: CopyTarget & { readonly uploadId: string | undefined; readonly index: number },
): Promise<string | undefined> {
  const first = target.index * copyPartBytes;
  const last = Math.min(first + copyPartBytes, source.sizeBytes) - 1;
  const policy = { signal: target.signal, timeoutMs: connection.copyTimeoutMs };
  const output = await connection.call(policy, ({ client, sdk, bucket, send }) =>
    client.send(
      new sdk.UploadPartCopyCommand({
        Bucket: bucket,
        Key: target.to,
        UploadId: target.uploadId,
        PartNumber: target.index + 1,
        CopySource: toCopySource(bucket, source.key),
        CopySourceIfMatch: source.etag,
        CopySourceRange: `bytes=${first}-${last}`,
      }),
      send,
    ));
  return output.CopyPartResult?.ETag;
}

/** Best effort and without the caller's signal, which may be why we are here. */
async function abortCopy(
  { connection }: S3Context,
  key: string,
  uploadId: string | undefined,
): Promise<void> {
  try {
    await connection.call({}, ({ client, sdk, bucket, send }) =>
      client.send(
        new sdk.AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: uploadId }),
        send,
      ));
  } catch {
    // What is left is the sweep's; the copy's own failure is what the caller must see.
  }
}

/** The header wants the path URL-encoded, but for the slashes. */
function toCopySource(bucket: string, key: string): string {
  return `${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`;
}
