import { compareObjectKeys } from "../../core/object_keys.ts";
import type { ListOptions, ObjectInfo } from "../../core/object_store.ts";
import { decodeSegment, type DiskLayout, toKeyPath } from "./disk_layout.ts";
import { isNotFound, withDiskErrors } from "./disk_errors.ts";
import type { DiskTier, DiskTiers } from "./disk_tiers.ts";
import { statObject } from "./disk_reader.ts";

const MAX_PAGE_SIZE = 1000;
/** Files asked for their size at once. */
const STAT_BATCH = 64;
/** Folders read ahead of their turn, on each level. */
const FOLDERS_AHEAD = 16;

/** A name in a folder of keys; a folder's ends in a slash, as it does in the keys below it. */
interface FolderEntry {
  readonly name: string;
  readonly isFolder: boolean;
}

/** What the walk through the folders shares. */
interface Walk {
  readonly layout: DiskLayout;
  readonly tiers: DiskTiers;
  readonly prefix: string;
  readonly startAfter: string;
  readonly signal: AbortSignal | undefined;
}

/** A folder of keys that was read. */
interface LoadedFolder {
  readonly folder: string;
  /** What may be listed, sorted. */
  readonly entries: readonly FolderEntry[];
  readonly tiers: ReadonlyMap<string, DiskTier>;
  /** The objects, when the folder has only these and few of them. */
  readonly infos: readonly ObjectInfo[] | null;
}

/**
 * Lists objects in key order by walking the folders depth first, each folder's names sorted as they
 * appear in keys: a folder `a` sorts as `a/`, that is after the file `a-` and before `a0`. Holds one
 * page, and the names of the folders on the current path and of a few beside them.
 */
export async function* listObjects(
  layout: DiskLayout,
  tiers: DiskTiers,
  prefix: string,
  options: ListOptions = {},
): AsyncGenerator<ObjectInfo[], void, void> {
  const pageSize = Math.min(Math.max(1, options.pageSize ?? MAX_PAGE_SIZE), MAX_PAGE_SIZE);
  const { startAfter = "", signal } = options;
  signal?.throwIfAborted();
  const walk: Walk = { layout, tiers, prefix, startAfter, signal };
  let page: ObjectInfo[] = [];
  for await (const infos of walkFolder(walk, await loadFolder(walk, ""))) {
    for (const info of infos) {
      page.push(info);
      if (page.length < pageSize) continue;
      yield page;
      page = [];
    }
  }
  if (page.length > 0) yield page;
}

async function* walkFolder(
  walk: Walk,
  { folder, entries, tiers, infos }: LoadedFolder,
): AsyncGenerator<readonly ObjectInfo[], void, void> {
  if (infos !== null) return yield infos;
  const ahead = new Map<number, Promise<LoadedFolder>>();
  try {
    for (let at = 0; at < entries.length;) {
      walk.signal?.throwIfAborted();
      if (entries[at]!.isFolder) {
        loadAhead(walk, { folder, entries, at, ahead });
        const loaded = await ahead.get(at)!;
        ahead.delete(at++);
        yield* walkFolder(walk, loaded);
        continue;
      }
      const batch: string[] = [];
      while (at < entries.length && !entries[at]!.isFolder && batch.length < STAT_BATCH) {
        batch.push(entries[at++]!.name);
      }
      yield await withDiskErrors(() => describe(walk.layout, folder, batch, tiers));
    }
  } finally {
    await Promise.allSettled(ahead.values());
  }
}

/** Begins to read the next folders: with one object in each, reading them by turns is all waiting. */
function loadAhead(
  walk: Walk,
  { folder, entries, at, ahead }: {
    readonly folder: string;
    readonly entries: readonly FolderEntry[];
    readonly at: number;
    readonly ahead: Map<number, Promise<LoadedFolder>>;
  },
): void {
  for (let i = at; i < Math.min(at + FOLDERS_AHEAD, entries.length); i++) {
    if (!entries[i]!.isFolder || ahead.has(i)) continue;
    const loading = loadFolder(walk, folder + entries[i]!.name);
    // A failure is thrown where the folder's turn comes, if it comes.
    loading.catch(() => {});
    ahead.set(i, loading);
  }
}

async function loadFolder(walk: Walk, folder: string): Promise<LoadedFolder> {
  return await withDiskErrors(async () => {
    const entries = (await readFolder(walk.layout, folder)).filter(({ name, isFolder }) =>
      isFolder ? mayContain(folder + name, walk) : isListed(folder + name, walk)
    );
    if (entries.length === 0) return { folder, entries, tiers: new Map(), infos: [] };
    const tiers = await walk.tiers.readFolder(folder);
    const isSmall = entries.length <= STAT_BATCH && entries.every(({ isFolder }) => !isFolder);
    const names = entries.map(({ name }) => name);
    const infos = isSmall ? await describe(walk.layout, folder, names, tiers) : null;
    return { folder, entries, tiers, infos };
  });
}

/** The facts of the files named, without those that vanished meanwhile. */
async function describe(
  layout: DiskLayout,
  folder: string,
  names: readonly string[],
  tiers: Awaited<ReturnType<DiskTiers["readFolder"]>>,
): Promise<ObjectInfo[]> {
  const infos = await Promise.all(names.map(async (name): Promise<ObjectInfo | null> => {
    const key = folder + name;
    const facts = await statObject(toKeyPath(layout.objects, key), key);
    if (facts === null) return null;
    const { sizeBytes, lastModifiedAt } = facts;
    const storageClass = tiers.get(name)?.storageClass ?? "standard";
    return { key, sizeBytes, lastModifiedAt, storageClass };
  }));
  return infos.filter((info) => info !== null);
}

/** The names in a folder of keys, sorted; none when the folder is missing. */
async function readFolder(layout: DiskLayout, folder: string): Promise<FolderEntry[]> {
  const path = folder === "" ? layout.objects : toKeyPath(layout.objects, folder.slice(0, -1));
  const entries: FolderEntry[] = [];
  try {
    for await (const entry of Deno.readDir(path)) {
      const segment = decodeSegment(entry.name);
      if (segment === null || entry.isSymlink) continue;
      if (entry.isDirectory) entries.push({ name: segment + "/", isFolder: true });
      else if (entry.isFile) entries.push({ name: segment, isFolder: false });
    }
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return entries.sort((a, b) => compareObjectKeys(a.name, b.name));
}

function isListed(
  key: string,
  wanted: { readonly prefix: string; readonly startAfter: string },
): boolean {
  return key.startsWith(wanted.prefix) && compareObjectKeys(key, wanted.startAfter) > 0;
}

/** Whether some key below the folder may be listed: lets whole folders be skipped. */
function mayContain(
  folder: string,
  wanted: { readonly prefix: string; readonly startAfter: string },
): boolean {
  const { prefix, startAfter } = wanted;
  if (!folder.startsWith(prefix) && !prefix.startsWith(folder)) return false;
  return startAfter.startsWith(folder) || compareObjectKeys(folder, startAfter) > 0;
}
