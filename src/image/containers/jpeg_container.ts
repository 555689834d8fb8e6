/**
 * JPEG files in and out of segments (ITU-T T.81 annex B; ICC.1:2022 annex B.4 for profiles).
 *
 * @module
 */

import { hasText, u16be } from "../../core/image_header/byte_order.ts";
import { asciiBytes, brokenOutput, concatBytes } from "./container_bytes.ts";

const SOI = Uint8Array.of(0xff, 0xd8);
const EOI = Uint8Array.of(0xff, 0xd9);
/** Bytes of profile in one APP2: 65,535 less the length, the signature and two counters. */
const MAX_ICC_PART_BYTES = 65_535 - 2 - 14;
/** The counter of parts has one byte. */
const MAX_ICC_PARTS = 255;

interface Segment {
  marker: number;
  /** With its marker and, for a scan, the coded data that follows. */
  bytes: Uint8Array;
}

/**
 * Keeps only what is needed to decode: tables, frame, scans, a bare JFIF header and Adobe's colour
 * transform. Drops every other APPn, comments, thumbnails and what follows the end of the image.
 *
 * @param icc A profile to put in, or null.
 */
export function rewriteJpeg(file: Uint8Array, icc: Uint8Array | null): Uint8Array<ArrayBuffer> {
  const leading: Uint8Array[] = [];
  const rest: Uint8Array[] = [];
  for (const { marker, bytes } of listSegments(file)) {
    if (marker === 0xe0 && hasText(bytes, 4, "JFIF\0")) leading.push(bareJfif(bytes));
    else if (marker === 0xee && hasText(bytes, 4, "Adobe")) leading.push(bytes);
    else if (isNeeded(marker)) rest.push(bytes);
  }
  return concatBytes([SOI, ...leading, ...(icc ? iccSegments(icc) : []), ...rest, EOI]);
}

/** SOFn, DHT, SOS, DQT, DRI; neither APPn nor COM. */
function isNeeded(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xdf && marker !== 0xc8;
}

function bareJfif(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 18) throw brokenOutput("JPEG");
  const bare = bytes.slice(0, 18);
  bare.set([0, 16], 2);
  bare.set([0, 0], 16);
  return bare;
}

function iccSegments(icc: Uint8Array): Uint8Array[] {
  const count = Math.ceil(icc.length / MAX_ICC_PART_BYTES);
  if (count > MAX_ICC_PARTS) throw brokenOutput("JPEG");
  return Array.from({ length: count }, (_, i) => {
    const part = icc.subarray(i * MAX_ICC_PART_BYTES, (i + 1) * MAX_ICC_PART_BYTES);
    const length = part.length + 16;
    return concatBytes([
      Uint8Array.of(0xff, 0xe2, length >> 8, length & 255),
      asciiBytes("ICC_PROFILE\0"),
      Uint8Array.of(i + 1, count),
      part,
    ]);
  });
}

function* listSegments(file: Uint8Array): Generator<Segment> {
  let at = 2;
  while (at + 4 <= file.length) {
    if (file[at] !== 0xff) throw brokenOutput("JPEG");
    const marker = file[at + 1];
    if (marker === 0xd9) return;
    if (marker === 0xff) {
      at++;
      continue;
    }
    const length = u16be(file, at + 2);
    let end = at + 2 + length;
    if (length < 2 || end > file.length) throw brokenOutput("JPEG");
    if (marker === 0xda) end = endOfScan(file, end);
    yield { marker, bytes: file.subarray(at, end) };
    at = end;
  }
}

/** Stuffed zeros and restart markers belong to the scan; any other marker ends it. */
function endOfScan(file: Uint8Array, from: number): number {
  for (let at = file.indexOf(0xff, from); at >= 0; at = file.indexOf(0xff, at + 1)) {
    const next = file[at + 1];
    if (next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return at;
  }
  return file.length;
}
