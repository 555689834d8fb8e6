import { AppError } from "../../errors.ts";
import type { RestoreState, StorageClass } from "../../core/storage_class.ts";
import { decodeSegment, type DiskLayout, toKeyPath } from "./disk_layout.ts";
import { type DiskFiles, removeIfPresent } from "./disk_files.ts";
import { isNotFound } from "./disk_errors.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** The storage class of one object, and its restore if any. */
export interface DiskTier {
  readonly storageClass: StorageClass;
  readonly restore: RestoreState | null;
}

const STANDARD: DiskTier = { storageClass: "standard", restore: null };

/**
 * Storage classes on a disk, which has only one: a small file beside the object says what a bucket
 * would say, so that archiving and restoring behave in development as they do in production.
 */
export interface DiskTiers {
  read(key: string): Promise<DiskTier>;
  /** The tiers of the objects directly in one folder of keys, by their last segment. */
  readFolder(prefix: string): Promise<ReadonlyMap<string, DiskTier>>;
  write(key: string, storageClass: StorageClass): Promise<void>;
  restore(key: string, days: number): Promise<RestoreState>;
  /** Forgets the class of an object that was removed or written anew. */
  clear(key: string): Promise<void>;
}

/** Creates the tiers of one store. */
export function createDiskTiers(
  layout: DiskLayout,
  files: DiskFiles,
  now: () => Date,
): DiskTiers {
  async function save(key: string, marker: Record<string, unknown>): Promise<void> {
    const bytes = new TextEncoder().encode(JSON.stringify(marker));
    await files.replace(await files.writeTemporary(bytes), toKeyPath(layout.tiers, key));
  }

  async function readMarker(path: string): Promise<DiskTier> {
    try {
      return parseMarker(await Deno.readTextFile(path), now());
    } catch (error) {
      if (isNotFound(error)) return STANDARD;
      throw error;
    }
  }

  return {
    read: (key) => readMarker(toKeyPath(layout.tiers, key)),

    async readFolder(prefix) {
      const tiers = new Map<string, DiskTier>();
      const folder = prefix === "" ? layout.tiers : toKeyPath(layout.tiers, prefix.slice(0, -1));
      try {
        for await (const entry of Deno.readDir(folder)) {
          const segment = entry.isFile ? decodeSegment(entry.name) : null;
          if (segment !== null) {
            tiers.set(segment, await readMarker(`${folder}/${entry.name}`));
          }
        }
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
      return tiers;
    },

    async write(key, storageClass) {
      if (storageClass === "standard") await removeIfPresent(toKeyPath(layout.tiers, key));
      else await save(key, { storageClass });
    },

    async restore(key, days) {
      const expiresAt = new Date(now().getTime() + days * DAY_MS);
      await save(key, { storageClass: "archive", restoredUntil: expiresAt.toISOString() });
      return { ongoing: false, expiresAt };
    },

    clear: (key) => removeIfPresent(toKeyPath(layout.tiers, key)),
  };
}

/** Reads a marker file. A copy whose time is up is gone, as in a bucket. */
function parseMarker(text: string, now: Date): DiskTier {
  const marker: { storageClass?: unknown; restoredUntil?: unknown } = parseJson(text);
  const { storageClass } = marker;
  if (storageClass !== "archive" && storageClass !== "infrequent") {
    throw new AppError("storage_error", "The record of a storage class is damaged");
  }
  const expiresAt = typeof marker.restoredUntil === "string"
    ? new Date(marker.restoredUntil)
    : null;
  const restored = expiresAt !== null && expiresAt.getTime() > now.getTime();
  return { storageClass, restore: restored ? { ongoing: false, expiresAt } : null };
}

function parseJson(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError("storage_error", "The record of a storage class is damaged", { cause });
  }
}
