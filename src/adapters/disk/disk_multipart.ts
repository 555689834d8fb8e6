import { join } from "node:path";
import { AppError } from "../../errors.ts";
import {
  MAX_PARTS,
  MIN_PART_SIZE_BYTES,
  type MultipartStore,
  type MultipartUpload,
  type OpenMultipartUpload,
  type UploadedPart,
} from "../../core/object_store.ts";
import { isNotFound, withDiskErrors } from "./disk_errors.ts";
import { type DiskFiles, makeFolder, removeIfPresent, writeAll } from "./disk_files.ts";
import { type DiskLayout, toKeyPath, toUploadPath } from "./disk_layout.ts";
import type { DiskTiers } from "./disk_tiers.ts";

const RECORD_NAME = "upload.json";
const DATA_NAME = "data";

/**
 * Multipart uploads on disk. All parts but the last have one size, so each is written at its place
 * in one `data` file and completing is a rename: no second pass over the bytes. A part counts once
 * its marker `{number}.json` is there, which is written after the bytes are synced.
 */
export function createDiskMultipart(
  context: {
    readonly layout: DiskLayout;
    readonly files: DiskFiles;
    readonly tiers: DiskTiers;
    readonly newId: () => string;
    readonly now: () => Date;
  },
): MultipartStore {
  const { layout, files, tiers, newId, now } = context;

  return {
    async createMultipart(key, { partSizeBytes, signal }) {
      signal?.throwIfAborted();
      toKeyPath(layout.objects, key);
      if (!Number.isSafeInteger(partSizeBytes) || partSizeBytes < MIN_PART_SIZE_BYTES) {
        throw new AppError("invalid_request", "The part size is too small");
      }
      const uploadId = newId();
      const folder = toUploadPath(layout, uploadId);
      if (folder === null) throw new TypeError("newId() must return 32 hexadecimal digits");
      await makeFolder(folder);
      const record = { key, partSizeBytes, initiatedAt: now().toISOString() };
      await saveJson(files, join(folder, RECORD_NAME), record);
      return { key, uploadId, partSizeBytes };
    },

    async uploadPart(upload, { partNumber, bytes, signal }) {
      signal?.throwIfAborted();
      const folder = await findFolder(layout, upload);
      if (folder === null) throw goneUpload();
      assertPart(upload, partNumber, bytes.byteLength);
      const marker = join(folder, toMarkerName(partNumber));
      // Replacing a part: without its marker, a crash half-way leaves it absent, not mixed.
      await removeIfPresent(marker);
      await writePart(join(folder, DATA_NAME), (partNumber - 1) * upload.partSizeBytes, bytes);
      signal?.throwIfAborted();
      const part = { partNumber, etag: `"${newId()}"`, sizeBytes: bytes.byteLength };
      await saveJson(files, marker, part);
      return part;
    },

    async completeMultipart(upload, { parts, ifAbsent, signal }) {
      signal?.throwIfAborted();
      const target = toKeyPath(layout.objects, upload.key);
      const folder = await findFolder(layout, upload);
      const totalBytes = parts.reduce((total, part) => total + part.sizeBytes, 0);
      if (folder === null) return await acceptRepeated(target, totalBytes);
      const stored = await readParts(folder);
      assertComplete(upload, parts, stored);
      const data = join(folder, DATA_NAME);
      await truncate(data, totalBytes);
      let created = true;
      if (ifAbsent) created = await files.moveIfAbsent(data, target);
      else await files.replace(data, target);
      if (created) await tiers.clear(upload.key);
      await removeIfPresent(folder);
      return { created };
    },

    async abortMultipart(upload, options) {
      options?.signal?.throwIfAborted();
      const folder = await findFolder(layout, upload);
      if (folder === null) return;
      // The record first: a part that arrives meanwhile finds no upload.
      await removeIfPresent(join(folder, RECORD_NAME));
      await removeIfPresent(folder);
    },

    async listParts(upload, options) {
      options?.signal?.throwIfAborted();
      const folder = await findFolder(layout, upload);
      return folder === null ? null : await readParts(folder);
    },

    listMultipartUploads: (prefix, options) => listUploads(layout, prefix, options?.signal),
  };
}

async function* listUploads(
  layout: DiskLayout,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<OpenMultipartUpload, void, void> {
  for (const uploadId of await withDiskErrors(() => readNames(layout.uploads))) {
    signal?.throwIfAborted();
    const folder = toUploadPath(layout, uploadId);
    const record = folder === null ? null : await withDiskErrors(() => readRecord(folder));
    if (record === null || !record.key.startsWith(prefix)) continue;
    yield { key: record.key, uploadId, initiatedAt: new Date(record.initiatedAt) };
  }
}

/** The folder of an open upload for just this key, or null. */
async function findFolder(
  layout: DiskLayout,
  upload: Pick<MultipartUpload, "key" | "uploadId">,
): Promise<string | null> {
  const folder = toUploadPath(layout, upload.uploadId);
  const record = folder === null ? null : await readRecord(folder);
  return record?.key === upload.key ? folder : null;
}

function assertPart(upload: MultipartUpload, partNumber: number, sizeBytes: number): void {
  if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > MAX_PARTS) {
    throw new AppError("invalid_request", "The part number is out of range");
  }
  if (sizeBytes > upload.partSizeBytes) {
    throw new AppError("invalid_request", "The part is larger than was declared");
  }
}

/** Refuses to make an object of parts that are not exactly those that are stored. */
function assertComplete(
  upload: MultipartUpload,
  wanted: readonly UploadedPart[],
  stored: readonly UploadedPart[],
): void {
  const byNumber = new Map(stored.map((part) => [part.partNumber, part]));
  wanted.forEach((part, index) => {
    const found = byNumber.get(part.partNumber);
    const isLast = index === wanted.length - 1;
    const matches = part.partNumber === index + 1 && found?.etag === part.etag &&
      found.sizeBytes === part.sizeBytes &&
      (isLast || part.sizeBytes === upload.partSizeBytes);
    if (!matches) {
      throw new AppError("object_mismatch", "A part is missing or not the one that was stored");
    }
  });
  if (wanted.length === 0) throw new AppError("object_mismatch", "An upload needs a part");
}

/** The upload is gone: by an earlier completion whose answer was lost, or really. */
async function acceptRepeated(target: string, totalBytes: number): Promise<{ created: boolean }> {
  try {
    const info = await Deno.lstat(target);
    if (info.isFile && info.size === totalBytes) return { created: true };
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  throw goneUpload();
}

function goneUpload(): AppError {
  return new AppError("object_mismatch", "The multipart upload was completed or aborted");
}

async function writePart(path: string, offsetBytes: number, bytes: Uint8Array): Promise<void> {
  try {
    using file = await Deno.open(path, { write: true, create: true });
    await file.seek(offsetBytes, Deno.SeekMode.Start);
    await writeAll(file, bytes);
    await file.syncData();
  } catch (error) {
    if (isNotFound(error)) throw goneUpload();
    throw error;
  }
}

/** Cuts off what a part that is not wanted may have left past the end. */
async function truncate(path: string, sizeBytes: number): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  await file.truncate(sizeBytes);
  await file.sync();
}

function toMarkerName(partNumber: number): string {
  return `${String(partNumber).padStart(5, "0")}.json`;
}

async function readParts(folder: string): Promise<UploadedPart[]> {
  const parts: UploadedPart[] = [];
  for (const name of await readNames(folder)) {
    if (!/^\d{5}\.json$/.test(name)) continue;
    const part = await readJson<UploadedPart>(join(folder, name));
    if (part !== null) parts.push(part);
  }
  return parts.sort((a, b) => a.partNumber - b.partNumber);
}

interface UploadRecord {
  readonly key: string;
  readonly partSizeBytes: number;
  readonly initiatedAt: string;
}

function readRecord(folder: string): Promise<UploadRecord | null> {
  return readJson<UploadRecord>(join(folder, RECORD_NAME));
}

async function readNames(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) names.push(entry.name);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return names;
}

async function saveJson(files: DiskFiles, path: string, value: unknown): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  await files.replace(await files.writeTemporary(bytes), path);
}

/** Reads a file that only {@linkcode saveJson} wrote, so whole or absent. */
async function readJson<T>(path: string): Promise<T | null> {
  try {
    return JSON.parse(await Deno.readTextFile(path)) as T;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}
