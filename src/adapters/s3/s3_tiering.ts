import { assertObjectKey } from "../../core/object_keys.ts";
import { isReadable, type ObjectTiering } from "../../core/storage_class.ts";
import type { S3Context } from "./s3_context.ts";
import { copyObject } from "./s3_copy.ts";
import { hasS3Code, hasS3Status, isMissingObject } from "./s3_errors.ts";
import { headObject } from "./s3_reader.ts";

/**
 * Storage classes of a bucket. S3 changes a class by copying an object onto itself. R2 has no
 * archive; Ceph's classes are pools that can all be read, so nothing there is ever refused or has to
 * be restored.
 */
export function createS3Tiering(context: S3Context): ObjectTiering {
  const { connection, storageClasses } = context;
  return {
    async setStorageClass(key, to, { signal } = {}) {
      const source = await headObject(context, key, { signal });
      if (source === null) return false;
      if (source.storageClass === to) return true;
      return await copyObject(context, source, {
        to: key,
        storageClass: storageClasses[to],
        signal,
      });
    },

    async restore(key, { days, signal }) {
      assertObjectKey(key);
      const head = await headObject(context, key, { signal });
      if (head === null) return null;
      if (head.storageClass !== "archive") return { ongoing: false, expiresAt: null };
      if (head.restore?.ongoing) return head.restore;
      try {
        await connection.call({ signal }, ({ client, sdk, bucket, send }) => {
          const RestoreRequest = {
            Days: days,
            GlacierJobParameters: { Tier: "Standard" as const },
          };
          const input = { Bucket: bucket, Key: key, RestoreRequest };
          return client.send(new sdk.RestoreObjectCommand(input), send);
        });
      } catch (error) {
        if (isMissingObject(error)) return null;
        if (hasS3Code(error, "RestoreAlreadyInProgress")) return { ongoing: true, expiresAt: null };
        // A class that we call archive but the store serves at once has nothing to restore.
        const hasNoArchive = hasS3Code(error, "NotImplemented", "MethodNotAllowed") ||
          hasS3Code(error, "InvalidObjectState") || hasS3Status(error, 501);
        if (hasNoArchive) return { ongoing: false, expiresAt: null };
        throw error;
      }
      const after = await headObject(context, key, { signal });
      if (after === null) return null;
      return isReadable(after) ? after.restore : { ongoing: true, expiresAt: null };
    },
  };
}
