import type { CompletedPart } from "@aws-sdk/client-s3";
import { AppError, hasCode } from "../../errors.ts";
import { assertObjectKey } from "../../core/object_keys.ts";
import {
  type CallOptions,
  MAX_PARTS,
  MIN_PART_SIZE_BYTES,
  type MultipartStore,
  type MultipartUpload,
  type OpenMultipartUpload,
  type UploadedPart,
  type WriteResult,
} from "../../core/object_store.ts";
import type { S3Context } from "./s3_context.ts";
import { hasS3Status, isGoneUpload } from "./s3_errors.ts";
import { headObject } from "./s3_reader.ts";

/** Multipart uploads to a bucket. */
export function createS3Multipart(context: S3Context): MultipartStore {
  const { connection } = context;
  return {
    async createMultipart(key, { partSizeBytes, contentType, signal }) {
      assertObjectKey(key);
      if (!Number.isSafeInteger(partSizeBytes) || partSizeBytes < MIN_PART_SIZE_BYTES) {
        throw new AppError("invalid_request", "The part size is too small");
      }
      const output = await connection.call({ signal }, ({ client, sdk, bucket, send }) => {
        const type = contentType === undefined ? {} : { ContentType: contentType };
        const input = { Bucket: bucket, Key: key, ...type };
        return client.send(new sdk.CreateMultipartUploadCommand(input), send);
      });
      if (output.UploadId === undefined) {
        throw new AppError("storage_error", "The object store gave the upload no id");
      }
      return { key, uploadId: output.UploadId, partSizeBytes };
    },

    uploadPart: (upload, part) => uploadPart(context, upload, part),
    completeMultipart: (upload, options) => completeMultipart(context, upload, options),

    async abortMultipart({ key, uploadId }, options = {}) {
      try {
        await connection.call(options, ({ client, sdk, bucket, send }) =>
          client.send(
            new sdk.AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: uploadId }),
            send,
          ));
      } catch (error) {
        if (!isGoneUpload(error)) throw error;
      }
    },

    listParts: (upload, options) => listParts(context, upload, options),
    listMultipartUploads: (prefix, options) => listUploads(context, prefix, options),
  };
}

async function uploadPart(
  { connection }: S3Context,
  upload: MultipartUpload,
  part: Parameters<MultipartStore["uploadPart"]>[1],
): Promise<UploadedPart> {
  const { partNumber, bytes, signal } = part;
  if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > MAX_PARTS) {
    throw new AppError("invalid_request", "The part number is out of range");
  }
  if (bytes.byteLength > upload.partSizeBytes) {
    throw new AppError("invalid_request", "The part is larger than was declared");
  }
  const policy = { signal, bodyBytes: bytes.byteLength };
  const output = await connection.call(policy, ({ client, sdk, bucket, send }) =>
    client.send(
      new sdk.UploadPartCommand({
        Bucket: bucket,
        Key: upload.key,
        UploadId: upload.uploadId,
        PartNumber: partNumber,
        Body: bytes,
        ContentLength: bytes.byteLength,
      }),
      send,
    ));
  if (output.ETag === undefined) {
    throw new AppError("storage_error", "The object store gave the part no etag");
  }
  return { partNumber, etag: output.ETag, sizeBytes: bytes.byteLength };
}

async function completeMultipart(
  context: S3Context,
  upload: MultipartUpload,
  options: Parameters<MultipartStore["completeMultipart"]>[1],
): Promise<WriteResult> {
  const { parts, ifAbsent, signal } = options;
  assertParts(upload, parts);
  const drop = async (): Promise<WriteResult> => {
    await createS3Multipart(context).abortMultipart(upload, { signal });
    return { created: false };
  };
  // Asked first in any case: Ceph 16 takes no condition here, and the parts need not be joined.
  if (ifAbsent && await headObject(context, upload.key, { signal }) !== null) return await drop();
  try {
    await sendComplete(context, upload, options);
    return { created: true };
  } catch (error) {
    if (ifAbsent && hasS3Status(error, 412)) return await drop();
    return await explainFailedCompletion(context, upload, { ...options, error });
  }
}

/**
 * Tells what a failed completion came to. Its outcome is unknown after a 5xx or a silence, and Ceph
 * 16 answers 500 for an upload that is gone, so the upload itself is asked for.
 */
async function explainFailedCompletion(
  context: S3Context,
  upload: MultipartUpload,
  options: Parameters<MultipartStore["completeMultipart"]>[1] & { readonly error: unknown },
): Promise<WriteResult> {
  const { error, signal } = options;
  const isUnclear = isGoneUpload(error) || hasCode(error, "storage_unavailable") ||
    hasCode(error, "storage_timeout");
  if (!isUnclear) throw error;
  const open = await listParts(context, upload, { signal }).catch(() => {
    throw error;
  });
  if (open !== null) throw error;
  if (await isCompleted(context, upload, options)) return { created: true };
  throw new AppError("object_mismatch", "The multipart upload was completed or aborted", {
    cause: error,
  });
}

async function sendComplete(
  { connection }: S3Context,
  upload: MultipartUpload,
  { parts, ifAbsent, signal }: Parameters<MultipartStore["completeMultipart"]>[1],
): Promise<void> {
  const completed: CompletedPart[] = parts.map(({ partNumber, etag }) => ({
    PartNumber: partNumber,
    ETag: etag,
  }));
  const policy = { signal, timeoutMs: connection.copyTimeoutMs };
  await connection.call(policy, ({ client, sdk, bucket, send }) =>
    client.send(
      new sdk.CompleteMultipartUploadCommand({
        Bucket: bucket,
        Key: upload.key,
        UploadId: upload.uploadId,
        MultipartUpload: { Parts: completed },
        ...(ifAbsent ? { IfNoneMatch: "*" } : {}),
      }),
      send,
    ));
}

/**
 * Whether the upload is gone because an earlier call completed it and the answer was lost: the
 * object has the right size and an etag of that many parts (`…-3`).
 */
async function isCompleted(
  context: S3Context,
  upload: MultipartUpload,
  { parts, signal }: Parameters<MultipartStore["completeMultipart"]>[1],
): Promise<boolean> {
  const head = await headObject(context, upload.key, { signal });
  const sizeBytes = parts.reduce((total, part) => total + part.sizeBytes, 0);
  return head?.sizeBytes === sizeBytes && head.etag.endsWith(`-${parts.length}"`);
}

/** The store checks numbers and etags itself, but not the rule that R2 has on sizes. */
function assertParts(upload: MultipartUpload, parts: readonly UploadedPart[]): void {
  const isRegular = parts.every(({ partNumber, sizeBytes }, index) =>
    partNumber === index + 1 &&
    (index === parts.length - 1 || sizeBytes === upload.partSizeBytes)
  );
  if (parts.length === 0 || !isRegular) {
    throw new AppError("object_mismatch", "A part is missing or has another size than the others");
  }
}

async function listParts(
  { connection }: S3Context,
  { key, uploadId }: Pick<MultipartUpload, "key" | "uploadId">,
  options: CallOptions = {},
): Promise<UploadedPart[] | null> {
  const parts: UploadedPart[] = [];
  let marker: string | undefined;
  do {
    try {
      const output = await connection.call(options, ({ client, sdk, bucket, send }) =>
        client.send(
          new sdk.ListPartsCommand({
            Bucket: bucket,
            Key: key,
            UploadId: uploadId,
            ...(marker === undefined ? {} : { PartNumberMarker: marker }),
          }),
          send,
        ));
      for (const { PartNumber, ETag, Size } of output.Parts ?? []) {
        parts.push({ partNumber: PartNumber ?? 0, etag: ETag ?? "", sizeBytes: Size ?? 0 });
      }
      marker = output.IsTruncated ? requireMarker(output.NextPartNumberMarker, marker) : undefined;
    } catch (error) {
      if (isGoneUpload(error)) return null;
      throw error;
    }
  } while (marker !== undefined);
  return parts.sort((a, b) => a.partNumber - b.partNumber);
}

async function* listUploads(
  { connection }: S3Context,
  prefix: string,
  options: CallOptions = {},
): AsyncGenerator<OpenMultipartUpload, void, void> {
  let at: { KeyMarker?: string; UploadIdMarker?: string } | null = {};
  while (at !== null) {
    const markers: { KeyMarker?: string; UploadIdMarker?: string } = at;
    const output = await connection.call(options, ({ client, sdk, bucket, send }) => {
      const input = { Bucket: bucket, Prefix: prefix, ...markers };
      return client.send(new sdk.ListMultipartUploadsCommand(input), send);
    });
    for (const { Key, UploadId, Initiated } of output.Uploads ?? []) {
      if (Key === undefined || UploadId === undefined) continue;
      yield { key: Key, uploadId: UploadId, initiatedAt: Initiated ?? new Date(0) };
    }
    if (!output.IsTruncated) return;
    const KeyMarker = requireMarker(output.NextKeyMarker, undefined);
    const UploadIdMarker = requireMarker(output.NextUploadIdMarker, markers.UploadIdMarker);
    at = { KeyMarker, UploadIdMarker };
  }
}

/** A listing that says "more" without saying where, or stays where it is, would never end. */
function requireMarker(next: string | undefined, last: string | undefined): string {
  if (next === undefined || next === "" || next === last) {
    throw new AppError("storage_error", "The object store broke off a listing");
  }
  return next;
}
