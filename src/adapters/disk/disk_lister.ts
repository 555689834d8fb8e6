import { compareObjectKeys } from "../../core/object_keys.ts";
import type { ListOptions, ObjectInfo } from "../../core/object_store.ts";
import { decodeSegment, type DiskLayout, toKeyPath } from "./disk_layout.ts";
import { isNotFound, withDiskErrors } from "./disk_errors.ts";
import type { DiskTiers } from "./disk_tiers.ts";
import { statObject } from "./disk_reader.ts";

const MAX_PAGE_SIZE = 1000;
/** Files asked for their size at once. */
const STAT_BATCH = 64;

/** A name in a folder of keys; a folder's ends in a slash, as it does in the keys below it. */
interface FolderEntry {
  readonly name: string;
  readonly isFolder: boolean;
}

/**
 * Lists objects in key order by walking the folders depth first, each folder's names sorted as they
 * appear in keys: a folder `a` sorts as `a/`, that is after the file `a-` and before `a0`. Holds the
 * names of the folders on the current path and one page.
 */
export async function* listObjects(
  layout: DiskLayout,
  tiers: DiskTiers,
  prefix: string,
  options: ListOptions = {},
): AsyncGenerator<ObjectInfo[], void, void> {
  const pageSize = Math.min(Math.max(1, options.pageSize ?? MAX_PAGE_SIZE), MAX_PAGE_SIZE);
  const wanted = { prefix, startAfter: options.startAfter ?? "" };
  let page: ObjectInfo[] = [];
  for await (const infos of walk(layout, tiers, "", wanted, options.signal)) {
    for (const info of infos) {
      page.push(info);
      if (page.length < pageSize) continue;
      yield page;
      page = [];
    }
  }
  if (page.length > 0) yield page;
}

async function* walk(
  layout: DiskLayout,
  tiers: DiskTiers,
  folder: string,
  wanted: { readonly prefix: string; readonly startAfter: string },
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectInfo[], void, void> {
  signal?.throwIfAborted();
  const entries = await withDiskErrors(() => readFolder(layout, folder));
  const relevant = entries.filter(({ name, isFolder }) => {
    const key = folder + name;
    return isFolder ? mayContain(key, wanted) : isListed(key, wanted);
  });
  if (relevant.length === 0) return;
  const folderTiers = await withDiskErrors(() => tiers.readFolder(folder));
  for (let at = 0; at < relevant.length;) {
    const entry = relevant[at]!;
    if (entry.isFolder) {
      at++;
      yield* walk(layout, tiers, folder + entry.name, wanted, signal);
      continue;
    }
    const batch: string[] = [];
    while (at < relevant.length && !relevant[at]!.isFolder && batch.length < STAT_BATCH) {
      batch.push(relevant[at++]!.name);
    }
    signal?.throwIfAborted();
    yield await withDiskErrors(() => describe(layout, folder, batch, folderTiers));
  }
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
