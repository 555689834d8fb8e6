import { createHash } from "node:crypto";
import type { Config } from "../config.ts";
import type { ObjectStore } from "../core/object_store.ts";
import type { DiskPresigner } from "../adapters/disk/disk_presigner.ts";

/** The object store, and what accepts direct uploads where the service itself has to. */
export interface Storage {
  readonly store: ObjectStore;
  /** Checks direct uploads that arrive here; null where they go to the bucket. */
  readonly diskPresigner: DiskPresigner | null;
}

/** Opens the configured object store. The vendor's client is loaded only when it is used. */
export async function openStorage(config: Config["storage"]): Promise<Storage> {
  if (config.kind === "disk") {
    const { createDiskObjectStore } = await import("../adapters/disk/disk_object_store.ts");
    const { createDiskPresigner } = await import("../adapters/disk/disk_presigner.ts");
    const store = createDiskObjectStore({
      root: config.root,
      // Hashed to the length of a key. Without it, signed URLs die with the process.
      presigner: config.signingSecret === undefined ? undefined : createDiskPresigner({
        secret: createHash("sha256").update(config.signingSecret).digest(),
      }),
    });
    return { store, diskPresigner: store.presigner };
  }
  const { createS3ObjectStore } = await import("../adapters/s3/s3_object_store.ts");
  const { R2_STORAGE_CLASSES } = await import("../adapters/s3/s3_storage_class.ts");
  const storageClasses = config.dialect === "r2" ? R2_STORAGE_CLASSES : undefined;
  const store = createS3ObjectStore({
    ...config,
    storageClasses,
    attemptTimeoutMs: config.requestTimeoutMs,
    idleTimeoutMs: config.requestTimeoutMs,
  });
  return { store, diskPresigner: null };
}
