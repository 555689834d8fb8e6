import { Buffer } from "node:buffer";
import type { PutObjectCommand } from "@aws-sdk/client-s3";
import { AppError } from "../../errors.ts";
import { assertObjectKey } from "../../core/object_keys.ts";
import { isContentHash } from "../../core/content_hash.ts";
import type { ObjectWriter, PutOptions, WriteResult } from "../../core/object_store.ts";
import type { S3Context } from "./s3_context.ts";
import { copyObject } from "./s3_copy.ts";
import { hasS3Status } from "./s3_errors.ts";
import { headObject } from "./s3_reader.ts";

/** Most bytes of a single `PUT` (5 GiB); callers send far less. */
const MAX_PUT_BYTES = 5 * 1024 ** 3;

/** Writes objects to a bucket. */
export function createS3Writer(context: S3Context): ObjectWriter {
  let knowsConditions = true;

  async function put(
    key: string,
    bytes: Uint8Array,
    options: PutOptions = {},
  ): Promise<WriteResult> {
    assertObjectKey(key);
    const { sha256, signal, ifAbsent } = options;
    if (bytes.byteLength > MAX_PUT_BYTES || (sha256 !== undefined && !isContentHash(sha256))) {
      throw new AppError("invalid_request", "The object cannot be put like this");
    }
    if (ifAbsent && !knowsConditions && await headObject(context, key, { signal }) !== null) {
      return { created: false };
    }
    try {
      await send(key, bytes, options);
      return { created: true };
    } catch (error) {
      if (ifAbsent && hasS3Status(error, 412)) return { created: false };
      if (!ifAbsent || !knowsConditions || !hasS3Status(error, 501)) throw error;
      // "NotImplemented" names the header: from now on, ask first.
      knowsConditions = false;
      return await put(key, bytes, options);
    }
  }

  async function send(key: string, bytes: Uint8Array, options: PutOptions): Promise<void> {
    const { sha256, signal, ifAbsent, contentType } = options;
    const policy = { signal, bodyBytes: bytes.byteLength };
    await context.connection.call(policy, ({ client, sdk, bucket, send }) => {
      const command = new sdk.PutObjectCommand({
        Bucket: bucket,
        Key: key,
        Body: bytes,
        ContentLength: bytes.byteLength,
        ...(contentType === undefined ? {} : { ContentType: contentType }),
        ...(ifAbsent && knowsConditions ? { IfNoneMatch: "*" } : {}),
        ...(sha256 !== undefined && context.storedChecksums
          ? { ChecksumSHA256: Buffer.from(sha256, "hex").toString("base64") }
          : {}),
      });
      if (sha256 !== undefined) signPayloadHash(command, sha256);
      return client.send(command, send);
    });
  }

  return {
    put,
    async copy(from, to, options = {}) {
      assertObjectKey(from);
      assertObjectKey(to);
      const { signal, ifAbsent } = options;
      const source = await headObject(context, from, { signal });
      if (source === null) return null;
      if (options.ifMatch !== undefined && options.ifMatch !== source.etag) {
        throw new AppError("object_mismatch", "The object was replaced meanwhile");
      }
      // Copies know no condition on their target that all stores share.
      if (ifAbsent && await headObject(context, to, { signal }) !== null) return { created: false };
      const contentType = options.contentType ?? "application/octet-stream";
      const copied = await copyObject(context, source, { to, contentType, signal });
      return copied ? { created: true } : null;
    },
  };
}

/**
 * Declares the body's hash as the one that SigV4 signs: the store refuses any other body, on every
 * S3 there is, and the SDK need not hash the bytes again.
 */
function signPayloadHash(command: PutObjectCommand, sha256: string): void {
  command.middlewareStack.add((next) => (args) => {
    const request = args.request as { headers: Record<string, string> };
    request.headers["x-amz-content-sha256"] = sha256;
    return next(args);
  }, { step: "build", name: "signPayloadHash" });
}
