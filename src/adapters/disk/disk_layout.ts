/**
 * Where things are below the root folder:
 *
 *     objects/…   the objects, at their key
 *     tiers/…     the storage class of objects that are not `standard`, at their key
 *     uploads/…   one folder per open multipart upload
 *     temporary/  files being written; everything here may be deleted when old
 *
 * One tree on one file system, so that a rename moves a finished file into place in one step.
 *
 * @module
 */

import { join } from "node:path";
import { AppError } from "../../errors.ts";
import { assertObjectKey } from "../../core/object_keys.ts";

/** Longest file name of the usual file systems, in bytes. */
const MAX_NAME_BYTES = 255;

const UPLOAD_ID = /^[0-9a-f]{32}$/;
// What encodeURIComponent leaves alone is safe in file names, but for `*` (Windows); `@`, `+`, `,`
// and `=` are common in keys and safe too.
const KEPT = /%(40|2B|2C|3D|20)/g;

/** The folders of a disk store. */
export interface DiskLayout {
  readonly root: string;
  readonly objects: string;
  readonly tiers: string;
  readonly uploads: string;
  readonly temporary: string;
}

/** The folders below `root`. Touches nothing. */
export function createDiskLayout(root: string): DiskLayout {
  return {
    root,
    objects: join(root, "objects"),
    tiers: join(root, "tiers"),
    uploads: join(root, "uploads"),
    temporary: join(root, "temporary"),
  };
}

/**
 * The path of `key` below `base`. Every segment is encoded by itself, so no key can leave `base`.
 *
 * @throws {AppError} `invalid_request` for keys that no store takes, and for segments that are too
 * long for a file name.
 */
export function toKeyPath(base: string, key: string): string {
  assertObjectKey(key);
  return join(base, ...key.split("/").map(encodeSegment));
}

/** The folder of an open multipart upload, or null when the id is none of ours. */
export function toUploadPath(layout: DiskLayout, uploadId: string): string | null {
  return UPLOAD_ID.test(uploadId) ? join(layout.uploads, uploadId) : null;
}

/** One key segment as a file name: percent-encoded UTF-8 where needed. */
export function encodeSegment(segment: string): string {
  const name = encodeURIComponent(segment)
    .replace(KEPT, (encoded) => decodeURIComponent(encoded))
    .replaceAll("*", "%2A");
  if (name.length > MAX_NAME_BYTES) {
    throw new AppError("invalid_request", "The object key is too long");
  }
  return name;
}

/** The key segment that a file name stands for, or null when no key is stored under that name. */
export function decodeSegment(name: string): string | null {
  try {
    const segment = decodeURIComponent(name);
    return encodeSegment(segment) === name ? segment : null;
  } catch {
    return null;
  }
}
