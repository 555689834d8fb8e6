import type { PutObjectCommand, UploadPartCommand } from "@aws-sdk/client-s3";
import { AppError } from "../../errors.ts";
import { assertObjectKey } from "../../core/object_keys.ts";
import type { ObjectPresigner, PresignedRequest, PresignOptions } from "../../core/object_store.ts";
import type { S3Call, S3Connection } from "./s3_connection.ts";

/** SigV4's limit. */
const MAX_EXPIRY_SECONDS = 7 * 24 * 60 * 60;

/**
 * Signs requests that clients send to the bucket themselves. The length is signed, so that a URL
 * for a small part cannot store a large one; the content is not, so what arrives must be hashed.
 */
export function createS3Presigner(connection: S3Connection, now: () => Date): ObjectPresigner {
  async function presign(
    { sizeBytes, expiresInSeconds }: PresignOptions,
    build: (call: S3Call) => PutObjectCommand | UploadPartCommand,
  ): Promise<PresignedRequest> {
    if (!(expiresInSeconds >= 1 && expiresInSeconds <= MAX_EXPIRY_SECONDS)) {
      throw new AppError("invalid_request", "A presigned URL is valid for 1 s to 7 days");
    }
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
      throw new AppError("invalid_request", "The size is not valid");
    }
    const { getSignedUrl } = await import("@aws-sdk/s3-request-presigner");
    const signingDate = now();
    const url = await connection.call(
      {},
      (call) =>
        getSignedUrl(call.client, build(call) as PutObjectCommand, {
          expiresIn: expiresInSeconds,
          signableHeaders: new Set(["host", "content-length"]),
          signingDate,
        }),
    );
    const expiresAt = new Date(signingDate.getTime() + expiresInSeconds * 1000);
    return { method: "PUT", url, headers: {}, expiresAt };
  }

  return {
    async presignPut(key, options) {
      assertObjectKey(key);
      return await presign(options, ({ sdk, bucket }) =>
        new sdk.PutObjectCommand({
          Bucket: bucket,
          Key: key,
          ContentLength: options.sizeBytes,
        }));
    },
    async presignPart(upload, options) {
      assertObjectKey(upload.key);
      return await presign(options, ({ sdk, bucket }) =>
        new sdk.UploadPartCommand({
          Bucket: bucket,
          Key: upload.key,
          UploadId: upload.uploadId,
          PartNumber: options.partNumber,
          ContentLength: options.sizeBytes,
        }));
    },
  };
}
