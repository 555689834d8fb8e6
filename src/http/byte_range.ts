/** What a `Range` header asks for, given the size of the representation. */
export type RangeOutcome =
  /** No range, or one that we ignore: the whole representation. */
  | { readonly kind: "whole" }
  /** Bytes `start` to `end`, both included. */
  | { readonly kind: "part"; readonly start: number; readonly end: number }
  | { readonly kind: "unsatisfiable" };

/** A single range with numbers that cannot lose precision. */
const SINGLE_RANGE = /^bytes=[ \t]*(?:(\d{1,15})-(\d{1,15})?|-(\d{1,15}))[ \t]*$/i;

/**
 * Resolves a `Range` header (RFC 9110 section 14.2).
 *
 * Several ranges are answered by the whole: multipart answers multiply what a request costs, and
 * no client of images needs them (CVE-2011-3192). So is everything malformed, as the RFC says.
 */
export function resolveByteRange(header: string | undefined, sizeBytes: number): RangeOutcome {
  const match = header === undefined ? null : SINGLE_RANGE.exec(header);
  if (!match) return { kind: "whole" };
  const [, first, last, suffix] = match;
  if (suffix !== undefined) {
    const length = Math.min(Number(suffix), sizeBytes);
    if (length === 0) return { kind: "unsatisfiable" };
    return { kind: "part", start: sizeBytes - length, end: sizeBytes - 1 };
  }
  const start = Number(first);
  if (last !== undefined && Number(last) < start) return { kind: "whole" };
  if (start >= sizeBytes) return { kind: "unsatisfiable" };
  const end = last === undefined ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  return { kind: "part", start, end };
}
