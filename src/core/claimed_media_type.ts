import { OCTET_STREAM } from "./media_type.ts";

/** Longest media type that is kept (RFC 6838 section 4.2: 127 characters to each name). */
const MAX_MEDIA_TYPE_LENGTH = 255;

/** `type/subtype` of restricted names (RFC 6838 section 4.2). */
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/;

/**
 * The media type that `text` claims, in lower case and without parameters, or null when it is none
 * (RFC 9110 section 8.3.1).
 */
export function parseMediaType(text: string | null): string | null {
  const essence = (text ?? "").slice(0, 1024).split(";")[0].trim().toLowerCase();
  return essence.length <= MAX_MEDIA_TYPE_LENGTH && MEDIA_TYPE.test(essence) ? essence : null;
}

/**
 * Types that detectors know by their first bytes: when none did, the claim is wrong, whether by
 * mistake or to have the bytes served as what they are not.
 */
const DETECTABLE = /^(?:image|audio|video|font|model)\//;

/** Wrappers of a request body, which say nothing of the file. */
const WRAPPER =
  /^(?:multipart\/|message\/|application\/x-www-form-urlencoded$|application\/offset\+)/;

/**
 * Chooses the type under which bytes are recorded.
 *
 * What the bytes show wins. A claim counts only for what shows no signature (text, formats of
 * one's own), and never makes text out of binary data.
 */
export function chooseMediaType(evidence: {
  /** From a detector; `application/octet-stream` when it knows nothing. */
  readonly sniffed: string;
  /** What the client said, unparsed. */
  readonly claimed: string | null;
  /** Whether the first bytes are text ({@linkcode looksLikeText}). */
  readonly isText: boolean;
}): string {
  const { isText } = evidence;
  const sniffed = parseMediaType(evidence.sniffed) ?? OCTET_STREAM;
  const claimed = parseMediaType(evidence.claimed);
  if (sniffed !== OCTET_STREAM && !isRefinedBy(sniffed, claimed)) return sniffed;
  const believable = claimed !== null && !DETECTABLE.test(claimed) && !WRAPPER.test(claimed) &&
    (isText || !claimed.startsWith("text/"));
  if (believable && claimed !== OCTET_STREAM) return claimed;
  return sniffed === OCTET_STREAM && isText ? "text/plain" : sniffed;
}

/** XML is a container: `application/rss+xml` says more of the same bytes. */
function isRefinedBy(sniffed: string, claimed: string | null): boolean {
  return sniffed === "application/xml" && claimed !== null && /\+xml$/.test(claimed);
}

/**
 * Whether the bytes may be text: well-formed UTF-8 (a character cut off at the end is fine) without
 * the control characters that mark binary data (WHATWG MIME Sniffing, "binary data byte").
 *
 * @param head The first bytes of a file, at most some kilobytes.
 */
export function looksLikeText(head: Uint8Array): boolean {
  for (const byte of head) {
    if (byte <= 0x08 || byte === 0x0b || (byte >= 0x0e && byte <= 0x1a)) return false;
    if (byte >= 0x1c && byte <= 0x1f) return false;
  }
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
    return true;
  } catch {
    return false;
  }
}
