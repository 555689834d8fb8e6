import { sanitizeFileName } from "../core/file_name.ts";

/**
 * Formats `Content-Disposition` (RFC 6266) for a file name from an untrusted source.
 *
 * Control characters (header injection), paths and marks that reorder text are removed first. A
 * name outside plain ASCII is then sent twice: as `filename*` (RFC 8187) and as an ASCII fallback,
 * in which `%` does not stay either, since some browsers decode it there.
 *
 * @param fileName Null when none is known: the client then names the file after the URL.
 */
export function formatContentDisposition(
  type: "inline" | "attachment",
  fileName: string | null,
): string {
  const name = sanitizeFileName(fileName?.replaceAll("\0", "") ?? null);
  if (name === null) return type;
  const fallback = name.replace(/[^\x20-\x7e]|["\\%]/g, "_");
  const plain = `${type}; filename="${fallback}"`;
  return fallback === name ? plain : `${plain}; filename*=UTF-8''${encodeExtValue(name)}`;
}

/** Percent-encodes all but RFC 8187 `attr-char`. */
function encodeExtValue(text: string): string {
  return encodeURIComponent(text).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
