import { createHash } from "node:crypto";
import type {
  DeleteObjectsCommand,
  PutBucketLifecycleConfigurationCommand,
} from "@aws-sdk/client-s3";
import { assertObjectKey } from "../../core/object_keys.ts";
import type { CallOptions, ObjectRemover } from "../../core/object_store.ts";
import type { S3Context } from "./s3_context.ts";
import { isMissingObject } from "./s3_errors.ts";

/** Most keys that one request may name. */
const MAX_KEYS_PER_REQUEST = 1000;

/** Removes objects from a bucket. */
export function createS3Remover(context: S3Context): ObjectRemover {
  const { connection } = context;
  return {
    async delete(key, options = {}) {
      assertObjectKey(key);
      try {
        await connection.call(
          options,
          ({ client, sdk, bucket, send }) =>
            client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: key }), send),
        );
      } catch (error) {
        if (!isMissingObject(error)) throw error;
      }
    },

    async deleteMany(keys, options = {}) {
      keys.forEach(assertObjectKey);
      options.signal?.throwIfAborted();
      const failedKeys: string[] = [];
      for (let at = 0; at < keys.length; at += MAX_KEYS_PER_REQUEST) {
        const batch = keys.slice(at, at + MAX_KEYS_PER_REQUEST);
        failedKeys.push(...await deleteBatch(context, batch, options));
      }
      return { failedKeys };
    },
  };
}

async function deleteBatch(
  { connection }: S3Context,
  keys: readonly string[],
  options: CallOptions,
): Promise<string[]> {
  const output = await connection.call(options, ({ client, sdk, bucket, send }) => {
    const command = new sdk.DeleteObjectsCommand({
      Bucket: bucket,
      Delete: { Quiet: true, Objects: keys.map((Key) => ({ Key })) },
    });
    useContentMd5(command);
    return client.send(command, send);
  });
  return (output.Errors ?? [])
    .filter(({ Code }) => Code !== "NoSuchKey")
    .map(({ Key }) => Key ?? "");
}

/**
 * Guards the body of a command that must carry a checksum with `Content-MD5`, which every S3
 * understands, instead of the SDK's CRC-32 headers, which older ones refuse.
 */
export function useContentMd5(
  command: DeleteObjectsCommand | PutBucketLifecycleConfigurationCommand,
): void {
  const stack = command.middlewareStack as DeleteObjectsCommand["middlewareStack"];
  stack.add((next) => (args) => {
    const request = args.request as { headers: Record<string, string>; body: string | Uint8Array };
    for (const name of Object.keys(request.headers)) {
      if (/^x-amz-(checksum-|sdk-checksum-)/i.test(name)) delete request.headers[name];
    }
    request.headers["content-md5"] = createHash("md5").update(request.body).digest("base64");
    return next(args);
  }, { step: "build", name: "useContentMd5", priority: "low" });
}
