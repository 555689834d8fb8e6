/**
 * The few parts of XML that telling documents apart needs: encoding, prolog, attributes
 * (XML 1.0 fifth edition, sections 2.8 and 4.3.3). Nothing is expanded or fetched.
 *
 * @module
 */

/** Most attributes that are read of one element. */
const MAX_ATTRIBUTES = 256;

/** Decodes the first bytes as UTF-8 or UTF-16; null when they hold NULs, so are no text. */
export function decodeXmlText(head: Uint8Array): string | null {
  const big = head[0] === 0xfe && head[1] === 0xff;
  const little = head[0] === 0xff && head[1] === 0xfe;
  const label = big ? "utf-16be" : little ? "utf-16le" : "utf-8";
  const text = new TextDecoder(label).decode(head);
  return text.includes("\0") ? null : text;
}

/**
 * Index of the first element's `<`, past white space, declaration, comments, processing instructions
 * and document type. Null when something else comes first.
 */
export function skipProlog(text: string): number | null {
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  for (;;) {
    while (/\s/.test(text[at] ?? "")) at++;
    const end = text.startsWith("<?", at)
      ? indexAfter(text, "?>", at)
      : text.startsWith("<!--", at)
      ? indexAfter(text, "-->", at + 4)
      : /^<!doctype/i.test(text.slice(at, at + 9))
      ? endOfDoctype(text, at)
      : at;
    if (end === at) return text[at] === "<" ? at : null;
    if (end < 0) return null;
    at = end;
  }
}

function indexAfter(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from);
  return found < 0 ? -1 : found + mark.length;
}

/** Past `<!DOCTYPE … [ … ] >`, minding quotes and comments in the internal subset. */
function endOfDoctype(text: string, from: number): number {
  let depth = 0;
  for (let at = from + 9; at < text.length; at++) {
    const char = text[at];
    if (char === '"' || char === "'") {
      at = text.indexOf(char, at + 1);
      if (at < 0) return -1;
    } else if (text.startsWith("<!--", at)) {
      at = text.indexOf("-->", at + 4) + 2;
      if (at < 2) return -1;
    } else if (char === "[") depth++;
    else if (char === "]") depth--;
    else if (char === ">" && depth <= 0) return at + 1;
  }
  return -1;
}

/** Attributes of one start tag by their names. Of two with one name the first counts. */
export function parseAttributes(tag: string): Map<string, string> {
  const attributes = new Map<string, string>();
  const pattern = /([^\s=<>"'/]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;
  for (let i = 0; i < MAX_ATTRIBUTES; i++) {
    const match = pattern.exec(tag);
    if (!match) break;
    if (!attributes.has(match[1])) attributes.set(match[1], match[2] ?? match[3]);
  }
  return attributes;
}
