/**
 * Reading ICC profiles: where they lie, whether they are sane, what they are called.
 *
 * A profile that is malformed or over {@linkcode ICC_LIMITS} is treated as absent, as browsers do:
 * the picture is worth more than its broken profile, and the bomb is never inflated past the limit.
 *
 * @module
 */

import { inflateSync } from "node:zlib";
import type { IccLocation } from "../image_facts.ts";
import { hasText, latin1, u16be, u32be } from "./byte_order.ts";
import type { ByteSource } from "./byte_source.ts";
import type { HeaderReader } from "./header_reader.ts";

/** Budgets on profiles. */
export const ICC_LIMITS = {
  /** Largest profile, inflated. The largest in common use (CMYK press profiles) are below 3 MiB. */
  profileBytes: 4 << 20,
  /** Most tags that are looked at. */
  tags: 256,
  /** Most translations of a description that are looked at. */
  translations: 64,
  /** Longest name that is kept, in characters. */
  nameLength: 128,
} as const;

const HEADER_BYTES = 128;

/** The part of the profile header that matters here (ICC.1:2022 section 7.2). */
export interface IccHeader {
  /** Declared size, at most the bytes at hand. */
  readonly sizeBytes: number;
  /** Data colour space, trimmed: `RGB`, `CMYK`, `GRAY`, … */
  readonly space: string;
}

/** Checks the profile header; null when it is no profile or is cut short. */
export function parseIccHeader(profile: Uint8Array): IccHeader | null {
  if (profile.length < HEADER_BYTES + 4 || !hasText(profile, 36, "acsp")) return null;
  const sizeBytes = u32be(profile, 0);
  if (sizeBytes < HEADER_BYTES + 4 || sizeBytes > profile.length) return null;
  return { sizeBytes, space: latin1(profile, 16, 4).trim() };
}

/**
 * The profile's name from its description tag, as text (`desc`, ICC v2) or in the English or first
 * translation (`mluc`, ICC v4). Null when there is none. Control characters are dropped.
 */
export function iccProfileName(profile: Uint8Array): string | null {
  if (parseIccHeader(profile) === null) return null;
  const tags = Math.min(u32be(profile, HEADER_BYTES), ICC_LIMITS.tags);
  for (let i = 0; i < tags; i++) {
    const entry = HEADER_BYTES + 4 + i * 12;
    if (entry + 12 > profile.length) return null;
    if (!hasText(profile, entry, "desc")) continue;
    const offset = u32be(profile, entry + 4);
    const length = u32be(profile, entry + 8);
    if (offset + length > profile.length || length < 12) return null;
    const tag = profile.subarray(offset, offset + length);
    if (hasText(tag, 0, "desc")) return cleanName(latin1(tag, 12, u32be(tag, 8)));
    if (hasText(tag, 0, "mluc")) return translatedName(tag);
    return null;
  }
  return null;
}

function translatedName(tag: Uint8Array): string | null {
  if (tag.length < 16) return null;
  const count = Math.min(u32be(tag, 8), ICC_LIMITS.translations);
  const recordBytes = Math.max(12, u32be(tag, 12));
  let chosen = -1;
  for (let i = 0; i < count; i++) {
    const record = 16 + i * recordBytes;
    if (record + 12 > tag.length) break;
    if (chosen < 0) chosen = record;
    if (hasText(tag, record, "en")) {
      chosen = record;
      break;
    }
  }
  if (chosen < 0) return null;
  const length = u32be(tag, chosen + 4);
  const offset = u32be(tag, chosen + 8);
  if (offset + length > tag.length) return null;
  let text = "";
  const end = offset + Math.min(length, ICC_LIMITS.nameLength * 2) - 1;
  for (let at = offset; at < end; at += 2) text += String.fromCharCode(u16be(tag, at));
  return cleanName(text);
}

function cleanName(text: string): string | null {
  const end = text.indexOf("\0");
  const name = (end < 0 ? text : text.slice(0, end))
    // deno-lint-ignore no-control-regex
    .replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "")
    .toWellFormed()
    .trim()
    .slice(0, ICC_LIMITS.nameLength);
  return name === "" ? null : name;
}

type Parts = IccLocation["parts"];

/** Looks at the profile that a header points to; null when it is malformed or over budget. */
export async function locateIcc(
  reader: HeaderReader,
  options: { parts: Parts; deflated?: boolean },
): Promise<{ icc: IccLocation; iccName: string | null } | null> {
  const { parts, deflated = false } = options;
  const storedBytes = parts.reduce((sum, part) => sum + part.length, 0);
  const inside = parts.every((part) => part.offset + part.length <= reader.size);
  if (!inside || storedBytes > Math.min(ICC_LIMITS.profileBytes, reader.loadBytesLeft)) return null;
  const stored = await joinParts(parts, (offset, length) => reader.load(offset, length));
  const profile = deflated ? inflateBounded(stored) : stored;
  const header = profile && parseIccHeader(profile);
  if (!profile || !header) return null;
  const icc = { parts, deflated, sizeBytes: header.sizeBytes, space: header.space };
  return { icc, iccName: iccProfileName(profile) };
}

/**
 * Reads the profile that {@linkcode locateIcc} found, cut to its declared size. Null when the source
 * no longer holds it.
 */
export async function readIccProfile(
  source: ByteSource,
  icc: IccLocation,
): Promise<Uint8Array | null> {
  const stored = await joinParts(icc.parts, (offset, length) => source.read(offset, length));
  const profile = icc.deflated ? inflateBounded(stored) : stored;
  const header = profile && parseIccHeader(profile);
  return profile && header ? new Uint8Array(profile.subarray(0, header.sizeBytes)) : null;
}

async function joinParts(
  parts: Parts,
  read: (offset: number, length: number) => Promise<Uint8Array> | Uint8Array,
): Promise<Uint8Array> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(await read(part.offset, part.length), at);
    at += part.length;
  }
  return joined;
}

function inflateBounded(deflated: Uint8Array): Uint8Array | null {
  try {
    return inflateSync(deflated, { maxOutputLength: ICC_LIMITS.profileBytes });
  } catch {
    return null;
  }
}
