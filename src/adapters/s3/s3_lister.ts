import type { ListObjectsV2CommandOutput } from "@aws-sdk/client-s3";
import { AppError } from "../../errors.ts";
import { compareObjectKeys } from "../../core/object_keys.ts";
import type { ListOptions, ObjectInfo } from "../../core/object_store.ts";
import type { S3Context } from "./s3_context.ts";
import { parseStorageClass } from "./s3_storage_class.ts";

const MAX_PAGE_SIZE = 1000;

/**
 * Lists a bucket, page by page. Every key is checked to follow the last one: merging two sorted
 * streams on an unsorted listing (S3's directory buckets have such) would report drift that is none.
 */
export async function* listS3Objects(
  context: S3Context,
  prefix: string,
  options: ListOptions = {},
): AsyncGenerator<ObjectInfo[], void, void> {
  const pageSize = Math.min(Math.max(1, options.pageSize ?? MAX_PAGE_SIZE), MAX_PAGE_SIZE);
  let last = options.startAfter ?? "";
  let token: string | undefined;
  do {
    const output = await fetchPage(context, { prefix, pageSize, token, options });
    const page = (output.Contents ?? []).map((item): ObjectInfo => ({
      key: item.Key ?? "",
      sizeBytes: item.Size ?? 0,
      lastModifiedAt: item.LastModified ?? new Date(0),
      storageClass: parseStorageClass(item.StorageClass, context.storageClasses),
    }));
    for (const { key } of page) {
      if (!key.startsWith(prefix) || compareObjectKeys(key, last) <= 0) throw brokenListing();
      last = key;
    }
    if (page.length > 0) yield page;
    const next = output.IsTruncated ? output.NextContinuationToken : undefined;
    if (output.IsTruncated && (next === undefined || next === token)) throw brokenListing();
    token = next;
  } while (token !== undefined);
}

function fetchPage(
  { connection }: S3Context,
  page: {
    readonly prefix: string;
    readonly pageSize: number;
    readonly token: string | undefined;
    readonly options: ListOptions;
  },
): Promise<ListObjectsV2CommandOutput> {
  const { startAfter, signal } = page.options;
  return connection.call({ signal }, ({ client, sdk, bucket, send }) => {
    const command = new sdk.ListObjectsV2Command({
      Bucket: bucket,
      Prefix: page.prefix,
      MaxKeys: page.pageSize,
      ...(page.token === undefined ? {} : { ContinuationToken: page.token }),
      ...(startAfter === undefined ? {} : { StartAfter: startAfter }),
    });
    return client.send(command, send);
  });
}

function brokenListing(): AppError {
  return new AppError("storage_error", "The object store's listing is not in order");
}
