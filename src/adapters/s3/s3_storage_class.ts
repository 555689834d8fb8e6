import type { StorageClass } from "../../core/storage_class.ts";

/**
 * The store's names of our storage classes. R2 has `STANDARD` and `STANDARD_IA` only; Ceph has what
 * its zone defines.
 */
export type StorageClassNames = Readonly<Record<StorageClass, string>>;

/** AWS's names. `GLACIER` is restored within hours. */
export const AWS_STORAGE_CLASSES: StorageClassNames = {
  standard: "STANDARD",
  infrequent: "STANDARD_IA",
  archive: "GLACIER",
};

/** R2's names. What would go to an archive goes to the coldest class there is. */
export const R2_STORAGE_CLASSES: StorageClassNames = {
  standard: "STANDARD",
  infrequent: "STANDARD_IA",
  archive: "STANDARD_IA",
};

/** Names that others may have set, by our classes. GLACIER_IR is read at once, so no archive. */
const KNOWN_NAMES: Readonly<Record<string, StorageClass>> = {
  STANDARD_IA: "infrequent",
  ONEZONE_IA: "infrequent",
  GLACIER_IR: "infrequent",
  GLACIER: "archive",
  DEEP_ARCHIVE: "archive",
};

/** Our class for a store's name. Stores leave the name out for standard objects. */
export function parseStorageClass(
  name: string | undefined,
  names: StorageClassNames,
): StorageClass {
  if (name === undefined || name === names.standard) return "standard";
  if (name === names.infrequent) return "infrequent";
  if (name === names.archive) return "archive";
  return KNOWN_NAMES[name] ?? "standard";
}

/** Reads `x-amz-restore`, such as `ongoing-request="false", expiry-date="Fri, 21 Dec 2012 …"`. */
export function parseRestoreHeader(
  value: string | undefined,
): { readonly ongoing: boolean; readonly expiresAt: Date | null } | null {
  if (value === undefined) return null;
  const ongoing = /ongoing-request="true"/.test(value);
  const expiry = /expiry-date="([^"]+)"/.exec(value)?.[1];
  const expiresAt = expiry === undefined ? null : new Date(expiry);
  const isDate = expiresAt !== null && Number.isFinite(expiresAt.getTime());
  return { ongoing, expiresAt: isDate ? expiresAt : null };
}
