/**
 * A PNG encoder over the platform's native deflate: 8-bit RGB or RGBA, no metadata.
 *
 * @module
 */

import { crc32, deflateSync } from "node:zlib";
import type { RgbaImage } from "../rgba_image.ts";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** zlib's level: 6 costs twice the time of 4 for 1–2 % fewer bytes on photographs. */
const LEVEL = 4;
/** Filter type Paeth (W3C PNG third edition, section 9.4): the best single choice for pictures. */
const PAETH = 4;

/** Encodes a picture without loss. Opaque pictures have no alpha channel. */
export function encodePng(image: RgbaImage): Uint8Array<ArrayBuffer> {
  const { width, height, opaque } = image;
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 8;
  header[9] = opaque ? 2 : 6;
  const data = deflateSync(filterRows(image), { level: LEVEL, memLevel: 9 });
  return joinChunks([
    { type: "IHDR", data: header },
    { type: "IDAT", data },
    { type: "IEND", data: new Uint8Array(0) },
  ]);
}

function filterRows({ width, height, pixels, opaque }: RgbaImage): Uint8Array {
  const channels = opaque ? 3 : 4;
  const rowBytes = width * channels;
  const out = new Uint8Array((rowBytes + 1) * height);
  let above = new Uint8Array(rowBytes);
  let row = new Uint8Array(rowBytes);
  for (let y = 0; y < height; y++) {
    for (let i = 0, p = y * width * 4; i < rowBytes; i += channels, p += 4) {
      row[i] = pixels[p];
      row[i + 1] = pixels[p + 1];
      row[i + 2] = pixels[p + 2];
      if (channels === 4) row[i + 3] = pixels[p + 3];
    }
    const at = y * (rowBytes + 1);
    out[at] = PAETH;
    for (let i = 0; i < channels; i++) out[at + 1 + i] = row[i] - above[i];
    for (let i = channels; i < rowBytes; i++) {
      const left = row[i - channels];
      const up = above[i];
      const corner = above[i - channels];
      const farLeft = Math.abs(up - corner);
      const farUp = Math.abs(left - corner);
      const farCorner = Math.abs(up + left - 2 * corner);
      const nearest = farLeft <= farUp && farLeft <= farCorner
        ? left
        : farUp <= farCorner
        ? up
        : corner;
      out[at + 1 + i] = row[i] - nearest;
    }
    [row, above] = [above, row];
  }
  return out;
}

function joinChunks(
  chunks: readonly { type: string; data: Uint8Array }[],
): Uint8Array<ArrayBuffer> {
  const length = chunks.reduce((sum, { data }) => sum + data.length + 12, SIGNATURE.length);
  const file = new Uint8Array(length);
  const view = new DataView(file.buffer);
  file.set(SIGNATURE);
  let at = SIGNATURE.length;
  for (const { type, data } of chunks) {
    view.setUint32(at, data.length);
    for (let i = 0; i < 4; i++) file[at + 4 + i] = type.charCodeAt(i);
    file.set(data, at + 8);
    view.setUint32(at + 8 + data.length, crc32(file.subarray(at + 4, at + 8 + data.length)));
    at += data.length + 12;
  }
  return file;
}
