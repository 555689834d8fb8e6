import { AppError } from "../errors.ts";

/** A field such as Content-Disposition or Content-Type: a word and its parameters. */
export interface ParameterizedField {
  /** Lower-case. */
  readonly value: string;
  /** By lower-case name; quoting is undone, character sets are not. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** `;` OWS name OWS `=` OWS (token / quoted-string), of RFC 9110 section 5.6.6. */
const PARAMETER =
  /;[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~0-9A-Za-z-]+)))?[ \t]*/y;
/** ext-value of RFC 8187 section 3.2.1, in the one charset that it requires. */
const EXT_VALUE = /^utf-8'[A-Za-z0-9-]*'((?:[!#$&+.^_`|~0-9A-Za-z-]|%[0-9A-Fa-f]{2})*)$/i;
const TYPE = /^[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z/-]+)[ \t]*/;

/**
 * The file name in a `Content-Disposition` field (RFC 6266): `filename*` before `filename`, null
 * when it has neither. The name is as the client spelled it, and not safe for anything.
 *
 * @throws {AppError} `invalid_header` when the field does not follow the grammar.
 */
export function readFileName({ parameters }: ParameterizedField): string | null {
  const extended = parameters.get("filename*");
  if (extended !== undefined) return decodeExtValue(extended);
  const plain = parameters.get("filename");
  return plain === undefined ? null : decodeFieldText(plain);
}

/**
 * Takes a field apart.
 *
 * @throws {AppError} `invalid_header` when it does not follow the grammar.
 */
export function parseParameterizedField(text: string): ParameterizedField {
  const type = TYPE.exec(text);
  if (!type) throw malformed();
  const parameters = new Map<string, string>();
  let index = type[0].length;
  while (index < text.length) {
    PARAMETER.lastIndex = index;
    const match = PARAMETER.exec(text);
    if (!match) throw malformed();
    index = PARAMETER.lastIndex;
    if (match[1] === undefined) continue;
    const name = match[1].toLowerCase();
    // RFC 6266 section 4.1: a parameter must not occur twice.
    if (parameters.has(name)) throw malformed();
    parameters.set(name, match[3] ?? match[2].replace(/\\(.)/g, "$1"));
  }
  return { value: type[1].toLowerCase(), parameters };
}

function decodeExtValue(value: string): string {
  const match = EXT_VALUE.exec(value);
  if (!match) throw malformed();
  try {
    return decodeURIComponent(match[1]);
  } catch (cause) {
    throw malformed(cause);
  }
}

/**
 * Field values reach us as Latin-1, one character per byte, while clients such as curl send UTF-8:
 * take the bytes as UTF-8 where they are that.
 */
export function decodeFieldText(text: string): string {
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return text;
  }
}

function malformed(cause?: unknown): AppError {
  return new AppError("invalid_header", "A header field with parameters is malformed", { cause });
}
