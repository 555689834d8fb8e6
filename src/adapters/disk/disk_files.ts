import { dirname, join } from "node:path";
import { AppError } from "../../errors.ts";
import type { DiskLayout } from "./disk_layout.ts";
import { isNotFound } from "./disk_errors.ts";

/** Files in `temporary/` that are older than this belong to a process that died. */
const STALE_TEMPORARY_MS = 60 * 60 * 1000;

/** Writes files so that they are under their name completely and durably, or not at all. */
export interface DiskFiles {
  /** A name in `temporary/` that nobody uses. Creates the folder. */
  createTemporaryPath(): Promise<string>;
  /** Writes and syncs a temporary file; removes it again on failure. */
  writeTemporary(bytes: Uint8Array): Promise<string>;
  /** Moves `source` to `target`, replacing what is there. */
  replace(source: string, target: string): Promise<void>;
  /** Moves `source` to `target` unless something is there: then `source` is removed. */
  moveIfAbsent(source: string, target: string): Promise<boolean>;
}

/** Creates the file operations of one store. */
export function createDiskFiles(
  layout: DiskLayout,
  options: { readonly newId: () => string; readonly now: () => Date },
): DiskFiles {
  let swept: Promise<void> | null = null;

  async function createTemporaryPath(): Promise<string> {
    // Once per process is enough: only a crash leaves files here.
    swept ??= Deno.mkdir(layout.temporary, { recursive: true })
      .then(() => sweepTemporary(layout.temporary, options.now()));
    await swept.catch((error) => {
      swept = null;
      throw error;
    });
    return join(layout.temporary, options.newId());
  }

  async function writeTemporary(bytes: Uint8Array): Promise<string> {
    const path = await createTemporaryPath();
    try {
      await withParent(path, async () => {
        using file = await Deno.open(path, { write: true, createNew: true });
        await writeAll(file, bytes);
        await file.syncData();
      });
      return path;
    } catch (error) {
      await removeIfPresent(path);
      throw error;
    }
  }

  async function replace(source: string, target: string): Promise<void> {
    await withParent(target, () => Deno.rename(source, target));
    await syncFolder(dirname(target));
  }

  async function moveIfAbsent(source: string, target: string): Promise<boolean> {
    // link(2) fails when the name is taken, in one step; rename(2) would replace.
    const created = await withParent(target, () => linkIfAbsent(source, target));
    if (created) await syncFolder(dirname(target));
    await removeIfPresent(source);
    return created;
  }

  return { createTemporaryPath, writeTemporary, replace, moveIfAbsent };
}

/** Hard-links `source` to `target`; false when the name is taken. */
async function linkIfAbsent(source: string, target: string): Promise<boolean> {
  try {
    await Deno.link(source, target);
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    if ((await Deno.lstat(target)).isFile) return false;
    throw new AppError("storage_error", "The object key is a folder of other keys");
  }
}

/** Runs `work`, and once more with the parent folder of `path` made when it was missing. */
async function withParent<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    await makeFolder(dirname(path));
    return await work();
  }
}

/** Makes a folder and its parents, each entry durable: a synced file in a lost folder is lost. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return;
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    await makeFolder(dirname(path));
    return await makeFolder(path);
  }
  await syncFolder(dirname(path));
}

/** Makes the names in a folder durable. */
async function syncFolder(path: string): Promise<void> {
  if (Deno.build.os === "windows") return; // A folder cannot be opened there.
  using folder = await Deno.open(path);
  await folder.sync();
}

/** Bytes of one write(2): a part in one piece is written at a quarter of the speed (ext4, measured). */
const WRITE_BYTES = 1024 * 1024;

/** Writes all of `bytes` at the file's position. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.byteLength) {
    written += await file.write(bytes.subarray(written, written + WRITE_BYTES));
  }
}

/** Removes a file or folder; an absent one is fine. */
export async function removeIfPresent(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Removes files of processes that died while writing. Never fails: it is only tidying. */
async function sweepTemporary(folder: string, now: Date): Promise<void> {
  try {
    for await (const entry of Deno.readDir(folder)) {
      const path = join(folder, entry.name);
      const { mtime } = await Deno.stat(path);
      if (mtime !== null && now.getTime() - mtime.getTime() > STALE_TEMPORARY_MS) {
        await removeIfPresent(path);
      }
    }
  } catch {
    // Another process may be tidying as well.
  }
}
