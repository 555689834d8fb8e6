import { AppError } from "../errors.ts";

/** Longest file name in UTF-8 bytes, as on common file systems. */
export const MAX_FILE_NAME_BYTES = 255;

/** Longest extension, with its dot, that survives the cutting of a long name. In UTF-8 bytes. */
const MAX_EXTENSION_BYTES = 32;

/** Longest input that is looked at, in UTF-16 units; what lies beyond could not survive anyway. */
const MAX_INPUT_LENGTH = 16_384;

/**
 * Characters that show nothing or show something else: C0 and C1 controls, and the marks that
 * reorder text (Unicode TR9 explicit formatting: `photo<RLO>gpj.exe` reads as `photoexe.jpg`), line
 * separators and the byte order mark. Joiners stay, since scripts and emoji need them.
 */
const INVISIBLE =
  // deno-lint-ignore no-control-regex -- control characters are what is removed
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/**
 * Makes a file name that is safe to store, list and send: the last part of any path, in NFC,
 * without control and bidirectional marks, at most {@linkcode MAX_FILE_NAME_BYTES} bytes long (cut
 * before its extension).
 *
 * @returns Null when nothing is left of it, or it was `.` or `..`.
 * @throws {AppError} `invalid_request` when the name holds NUL: no file system has such a name, so
 * it is an attack on something that ends strings there.
 */
export function sanitizeFileName(name: string | null): string | null {
  if (name === null) return null;
  if (name.includes("\0")) throw new AppError("invalid_request", "A file name cannot contain NUL");
  const last = name.slice(-MAX_INPUT_LENGTH).split(/[/\\]/).at(-1) ?? "";
  const visible = last.toWellFormed().normalize("NFC").replace(INVISIBLE, "").trim();
  if (visible === "" || visible === "." || visible === "..") return null;
  return cutToBytes(visible);
}

function cutToBytes(name: string): string {
  if (utf8Length(name) <= MAX_FILE_NAME_BYTES) return name;
  const dot = name.lastIndexOf(".");
  const extension = dot > 0 && utf8Length(name.slice(dot)) <= MAX_EXTENSION_BYTES
    ? name.slice(dot)
    : "";
  let room = MAX_FILE_NAME_BYTES - utf8Length(extension);
  let stem = "";
  for (const character of name.slice(0, name.length - extension.length)) {
    room -= utf8Length(character);
    if (room < 0) break;
    stem += character;
  }
  return stem.trimEnd() + extension;
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).byteLength;
}
