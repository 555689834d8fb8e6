/**
 * Preconditions of a request (RFC 9110 section 13), for representations with strong entity tags and
 * without a modification date.
 *
 * @module
 */

/** Entity tags looked at in one header; more than any cache sends. */
const MAX_ENTITY_TAGS = 64;

const ENTITY_TAG = /\s*(W\/)?("[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|$)/y;

/** The value of `If-Match` or `If-None-Match`. */
export type EntityTagList =
  | "*"
  | readonly { readonly tag: string; readonly weak: boolean }[];

/** Parses a list of entity tags. What is malformed ends the list: such tags match nothing. */
export function parseEntityTags(header: string): EntityTagList {
  if (header.trim() === "*") return "*";
  const tags: { tag: string; weak: boolean }[] = [];
  ENTITY_TAG.lastIndex = 0;
  while (tags.length < MAX_ENTITY_TAGS && ENTITY_TAG.lastIndex < header.length) {
    const match = ENTITY_TAG.exec(header);
    if (!match) break;
    tags.push({ tag: match[2], weak: match[1] !== undefined });
  }
  return tags;
}

/**
 * Whether `If-None-Match` says that the client has the representation: 304 for GET and HEAD.
 * Compares weakly (RFC 9110 section 13.1.2), since caches may have weakened our tags.
 *
 * @param options.exists Whether the representation is known to exist, which `*` asks for.
 */
export function matchesIfNoneMatch(
  header: string,
  etag: string,
  options: { readonly exists: boolean },
): boolean {
  if (header === etag) return true;
  const list = parseEntityTags(header);
  return list === "*" ? options.exists : list.some(({ tag }) => tag === etag);
}

/** Whether `If-Match` lets the request pass. Compares strongly (RFC 9110 section 13.1.1). */
export function matchesIfMatch(header: string, etag: string): boolean {
  const list = parseEntityTags(header);
  return list === "*" || list.some(({ tag, weak }) => !weak && tag === etag);
}

/**
 * Whether `If-Range` lets a `Range` be honoured (RFC 9110 section 13.1.5): only for our strong tag.
 * A date never does, as we send none.
 */
export function matchesIfRange(header: string | undefined, etag: string): boolean {
  return header === undefined || header.trim() === etag;
}
