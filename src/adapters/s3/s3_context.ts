import type { S3Connection } from "./s3_connection.ts";
import type { StorageClassNames } from "./s3_storage_class.ts";

/** What the parts of the S3 store share. */
export interface S3Context {
  readonly connection: S3Connection;
  readonly storageClasses: StorageClassNames;
  /** Whether the store keeps `x-amz-checksum-sha256` and gives it back. */
  readonly storedChecksums: boolean;
  /** Objects larger than this are copied in parts. At most 5 GiB, S3's limit for one copy. */
  readonly copyPartBytes: number;
}
