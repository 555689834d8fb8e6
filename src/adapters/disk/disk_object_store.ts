import { hash, randomBytes, randomUUID } from "node:crypto";
import { AppError } from "../../errors.ts";
import type {
  MultipartStore,
  ObjectReader,
  ObjectRemover,
  ObjectStore,
  ObjectWriter,
} from "../../core/object_store.ts";
import type { LifecycleRule, ObjectTiering } from "../../core/storage_class.ts";
import { isReadable } from "../../core/storage_class.ts";
import { isNotFound, withDiskErrors } from "./disk_errors.ts";
import { createDiskFiles, type DiskFiles, removeIfPresent } from "./disk_files.ts";
import { createDiskLayout, type DiskLayout, toKeyPath } from "./disk_layout.ts";
import { listObjects } from "./disk_lister.ts";
import { createDiskMultipart } from "./disk_multipart.ts";
import { createDiskPresigner, type DiskPresigner } from "./disk_presigner.ts";
import { openObject, statObject } from "./disk_reader.ts";
import { createDiskTiers, type DiskTiers } from "./disk_tiers.ts";

/** Options of {@linkcode createDiskObjectStore}. */
export interface DiskObjectStoreOptions {
  /** Folder that the store owns; made when missing. Several processes may share it. */
  readonly root: string;
  /** Signs direct uploads. By default relative URLs and a secret that dies with the process. */
  readonly presigner?: DiskPresigner | undefined;
  readonly now?: (() => Date) | undefined;
  /** Returns 32 hexadecimal digits, never the same twice. */
  readonly newId?: (() => string) | undefined;
}

/** A disk store, which also checks the direct uploads that it signed. */
export interface DiskObjectStore extends ObjectStore {
  readonly presigner: DiskPresigner;
}

interface DiskContext {
  readonly layout: DiskLayout;
  readonly files: DiskFiles;
  readonly tiers: DiskTiers;
  readonly now: () => Date;
}

/**
 * Creates an object store in a folder, for development and for single machines. A crash or a
 * `kill -9` at any instant leaves objects whole or absent; files are synced before they get their
 * name. Creating it touches nothing.
 *
 * Limits: a key cannot also be a folder of other keys (`a` and `a/b`), and a copy shares the file of
 * its source, so both get the time of the copy.
 */
export function createDiskObjectStore(options: DiskObjectStoreOptions): DiskObjectStore {
  const now = options.now ?? (() => new Date());
  const newId = options.newId ?? (() => randomUUID().replaceAll("-", ""));
  const layout = createDiskLayout(options.root);
  const files = createDiskFiles(layout, { newId, now });
  const tiers = createDiskTiers(layout, files, now);
  const context = { layout, files, tiers, newId, now };
  const presigner = options.presigner ?? createDiskPresigner({ secret: randomBytes(32), now });
  return {
    ...createReader(context),
    ...createWriter(context),
    ...createRemover(context),
    ...createTiering(context),
    ...withMappedErrors(createDiskMultipart(context)),
    ...createLifecycle(),
    list: (prefix, list) => listObjects(layout, tiers, prefix, list),
    presigner,
    presignPut: presigner.presignPut,
    presignPart: presigner.presignPart,
    ping: (call) =>
      withDiskErrors(async () => {
        call?.signal?.throwIfAborted();
        await removeIfPresent(await files.writeTemporary(new Uint8Array(1)));
      }),
    close: () => Promise.resolve(),
  };
}

function createReader({ layout, tiers }: DiskContext): ObjectReader {
  return {
    head: (key, options) =>
      withDiskErrors(async () => {
        options?.signal?.throwIfAborted();
        const facts = await statObject(toKeyPath(layout.objects, key), key);
        return facts === null ? null : { ...facts, ...await tiers.read(key) };
      }),
    get: (key, options) =>
      withDiskErrors(() => {
        options?.signal?.throwIfAborted();
        return openObject(toKeyPath(layout.objects, key), {
          key,
          readTier: () => tiers.read(key),
          range: options?.range,
          signal: options?.signal,
        });
      }),
  };
}

function createWriter({ layout, files, tiers, now }: DiskContext): ObjectWriter {
  /** Gives a finished temporary file its key. */
  async function publish(path: string, key: string, ifAbsent: boolean): Promise<boolean> {
    const target = toKeyPath(layout.objects, key);
    try {
      if (ifAbsent && !await files.moveIfAbsent(path, target)) return false;
      if (!ifAbsent) await files.replace(path, target);
    } finally {
      // rename(2) leaves the source where both names are one file already.
      await removeIfPresent(path);
    }
    await tiers.clear(key);
    return true;
  }

  return {
    put: (key, bytes, options = {}) =>
      withDiskErrors(async () => {
        options.signal?.throwIfAborted();
        const target = toKeyPath(layout.objects, key);
        if (options.sha256 !== undefined && options.sha256 !== hash("sha256", bytes, "hex")) {
          throw new AppError("object_mismatch", "The bytes do not have the declared SHA-256");
        }
        if (options.ifAbsent && await statObject(target, key) !== null) return { created: false };
        const path = await files.writeTemporary(bytes);
        return { created: await publish(path, key, options.ifAbsent ?? false) };
      }),

    copy: (from, to, options = {}) =>
      withDiskErrors(async () => {
        options.signal?.throwIfAborted();
        const source = toKeyPath(layout.objects, from);
        const target = toKeyPath(layout.objects, to);
        if (await statObject(source, from) === null) return null;
        if (!isReadable(await tiers.read(from))) {
          throw new AppError("asset_archived", "The object is archived and must be restored first");
        }
        if (options.ifAbsent && await statObject(target, to) !== null) return { created: false };
        const path = await files.createTemporaryPath();
        if (!await cloneFile(source, path)) return null;
        try {
          if (options.ifMatch !== undefined) await assertSameFile(source, path, options.ifMatch);
          await Deno.utime(path, now(), now());
        } catch (error) {
          await removeIfPresent(path);
          throw error;
        }
        return { created: await publish(path, to, options.ifAbsent ?? false) };
      }),
  };
}

/** Makes `target` a second name of an object's file, or a copy where that cannot be. */
async function cloneFile(source: string, target: string): Promise<boolean> {
  try {
    await Deno.link(source, target);
  } catch (error) {
    if (isNotFound(error)) return false;
    // No hard links on this file system, or too many of them. Objects are never changed in place,
    // so both ways mean the same.
    await Deno.copyFile(source, target);
    using file = await Deno.open(target, { write: true });
    await file.sync();
  }
  return true;
}

/** Refuses a clone when the source was replaced since its etag was read. */
async function assertSameFile(source: string, clone: string, etag: string): Promise<void> {
  const [now, cloned] = await Promise.all([statObject(source, ""), statObject(clone, "")]);
  // A hard link has its source's etag itself; a copy does not, and is as good as its source's now.
  if (cloned?.etag !== etag && now?.etag !== etag) {
    throw new AppError("object_mismatch", "The object was replaced meanwhile");
  }
}

function createRemover({ layout, tiers }: DiskContext): ObjectRemover {
  async function remove(key: string): Promise<void> {
    const path = toKeyPath(layout.objects, key);
    if (await statObject(path, key) !== null) await removeFile(path);
    await tiers.clear(key);
  }
  return {
    delete: (key, options) =>
      withDiskErrors(async () => {
        options?.signal?.throwIfAborted();
        await remove(key);
      }),
    async deleteMany(keys, options) {
      const failedKeys: string[] = [];
      for (const key of keys) {
        options?.signal?.throwIfAborted();
        await remove(key).catch(() => failedKeys.push(key));
      }
      return { failedKeys };
    },
  };
}

async function removeFile(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

function createTiering({ layout, tiers }: DiskContext): ObjectTiering {
  return {
    setStorageClass: (key, to, options) =>
      withDiskErrors(async () => {
        options?.signal?.throwIfAborted();
        if (await statObject(toKeyPath(layout.objects, key), key) === null) return false;
        const { storageClass, restore } = await tiers.read(key);
        if (storageClass !== to && !isReadable({ storageClass, restore })) {
          throw new AppError("asset_archived", "The object is archived and must be restored first");
        }
        await tiers.write(key, to);
        return true;
      }),
    restore: (key, { days, signal }) =>
      withDiskErrors(async () => {
        signal?.throwIfAborted();
        if (await statObject(toKeyPath(layout.objects, key), key) === null) return null;
        const { storageClass } = await tiers.read(key);
        if (storageClass !== "archive") return { ongoing: false, expiresAt: null };
        return await tiers.restore(key, days);
      }),
  };
}

/** A disk ages nothing by itself. */
function createLifecycle(): {
  getLifecycle(): Promise<LifecycleRule[] | null>;
  putLifecycle(): Promise<void>;
} {
  return {
    getLifecycle: () => Promise.resolve(null),
    putLifecycle: () =>
      Promise.reject(new AppError("storage_error", "A disk store has no lifecycle rules")),
  };
}

function withMappedErrors(store: MultipartStore): MultipartStore {
  return {
    createMultipart: (...args) => withDiskErrors(() => store.createMultipart(...args)),
    uploadPart: (...args) => withDiskErrors(() => store.uploadPart(...args)),
    completeMultipart: (...args) => withDiskErrors(() => store.completeMultipart(...args)),
    abortMultipart: (...args) => withDiskErrors(() => store.abortMultipart(...args)),
    listParts: (...args) => withDiskErrors(() => store.listParts(...args)),
    listMultipartUploads: store.listMultipartUploads,
  };
}
