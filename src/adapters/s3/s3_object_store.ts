import type { ObjectStore } from "../../core/object_store.ts";
import { createS3Connection, type S3ConnectionOptions } from "./s3_connection.ts";
import type { S3Context } from "./s3_context.ts";
import { hasS3Code } from "./s3_errors.ts";
import { createS3Lifecycle } from "./s3_lifecycle.ts";
import { listS3Objects } from "./s3_lister.ts";
import { createS3Multipart } from "./s3_multipart.ts";
import { createS3Presigner } from "./s3_presigner.ts";
import { createS3Reader } from "./s3_reader.ts";
import { createS3Remover } from "./s3_remover.ts";
import { AWS_STORAGE_CLASSES, type StorageClassNames } from "./s3_storage_class.ts";
import { createS3Tiering } from "./s3_tiering.ts";
import { createS3Writer } from "./s3_writer.ts";

/** Options of {@linkcode createS3ObjectStore}. */
export interface S3ObjectStoreOptions extends S3ConnectionOptions {
  /** @default {AWS_STORAGE_CLASSES} */
  readonly storageClasses?: StorageClassNames | undefined;
  /**
   * Whether to have SHA-256 checksums stored and given back (AWS does; Ceph 16 does not). What is
   * sent is verified by the store in any case.
   *
   * @default {false}
   */
  readonly storedChecksums?: boolean | undefined;
  /** Size of the parts in which larger objects are copied. @default {5 GiB} */
  readonly copyPartBytes?: number | undefined;
  readonly now?: (() => Date) | undefined;
}

const MAX_COPY_BYTES = 5 * 1024 ** 3;

/**
 * Creates an object store on a bucket of R2, AWS S3, Ceph or another S3. Makes no request, loads no
 * SDK and does not create the bucket; the first call does the loading.
 */
export function createS3ObjectStore(options: S3ObjectStoreOptions): ObjectStore {
  const connection = createS3Connection(options);
  const context: S3Context = {
    connection,
    storageClasses: options.storageClasses ?? AWS_STORAGE_CLASSES,
    storedChecksums: options.storedChecksums ?? false,
    copyPartBytes: Math.min(options.copyPartBytes ?? MAX_COPY_BYTES, MAX_COPY_BYTES),
  };
  return {
    ...createS3Reader(context),
    ...createS3Writer(context),
    ...createS3Remover(context),
    ...createS3Multipart(context),
    ...createS3Tiering(context),
    ...createS3Lifecycle(context),
    ...createS3Presigner(connection, options.now ?? (() => new Date())),
    list: (prefix, list) => listS3Objects(context, prefix, list),
    async ping(call = {}) {
      const policy = { ...call, timeoutMs: connection.pingTimeoutMs, maxAttempts: 1 };
      await connection.call(
        policy,
        ({ client, sdk, bucket, send }) =>
          client.send(new sdk.HeadBucketCommand({ Bucket: bucket }), send),
      );
    },
    close: () => connection.close(),
  };
}

/** Makes the bucket unless it is there. For tests and first set-ups: the service never does. */
export async function ensureBucket(options: S3ConnectionOptions): Promise<void> {
  const connection = createS3Connection(options);
  try {
    await connection.call(
      {},
      ({ client, sdk, bucket, send }) =>
        client.send(new sdk.CreateBucketCommand({ Bucket: bucket }), send),
    );
  } catch (error) {
    if (!hasS3Code(error, "BucketAlreadyOwnedByYou", "BucketAlreadyExists")) throw error;
  } finally {
    await connection.close();
  }
}
