/** Builds small image files byte by byte, so that tests can lie in one place and only there. */
import { crc32, deflateSync } from "node:zlib";

/** Joins bytes; numbers are single bytes, text is Latin-1. */
export function bytesOf(
  ...parts: (number | string | Uint8Array | readonly number[])[]
): Uint8Array {
  const out: number[] = [];
  for (const part of parts) {
    if (typeof part === "number") out.push(part);
    else if (typeof part === "string") { for (const char of part) out.push(char.charCodeAt(0)); }
    else for (const byte of part) out.push(byte);
  }
  return Uint8Array.from(out);
}

export const be16 = (value: number): number[] => [value >> 8 & 255, value & 255];
export const be32 = (value: number): number[] => [...be16(value >>> 16), ...be16(value & 0xffff)];
export const le16 = (value: number): number[] => be16(value).reverse();
export const le32 = (value: number): number[] => be32(value).reverse();

/** A TIFF structure with one orientation entry. */
export function exifBlock(
  orientation: number,
  options: { little?: boolean; type?: number; count?: number } = {},
): Uint8Array {
  const { little = true, type = 3, count = 1 } = options;
  const u16 = little ? le16 : be16;
  const u32 = little ? le32 : be32;
  const value = type === 4 ? u32(orientation) : [...u16(orientation), 0, 0];
  return bytesOf(
    little ? "II" : "MM",
    u16(42),
    u32(8),
    u16(1),
    u16(274),
    u16(type),
    u32(count),
    value,
    u32(0),
  );
}

/** A JPEG segment with its length. */
export function segment(marker: number, ...data: Parameters<typeof bytesOf>): Uint8Array {
  const payload = bytesOf(...data);
  return bytesOf(0xff, marker, be16(payload.length + 2), payload);
}

/** A frame header. */
export function frameHeader(
  width: number,
  height: number,
  options: { marker?: number; components?: number; bitDepth?: number } = {},
): Uint8Array {
  const { marker = 0xc0, components = 3, bitDepth = 8 } = options;
  const list = Array.from({ length: components }, (_, i) => [i + 1, 0x11, 0]).flat();
  return segment(marker, bitDepth, be16(height), be16(width), components, list);
}

/** A JPEG header: SOI, the given segments, the start of a scan. It has no pixels. */
export function jpegOf(...segments: Uint8Array[]): Uint8Array {
  return bytesOf(0xff, 0xd8, ...segments, segment(0xda, 1, 1, 0, 0, 63, 0), 0, 0xff, 0xd9);
}

/** A PNG chunk with its length and checksum. */
export function chunk(type: string, ...data: Parameters<typeof bytesOf>): Uint8Array {
  const body = bytesOf(type, ...data);
  return bytesOf(be32(body.length - 4), body, be32(crc32(body)));
}

/** A PNG of zeros. `before` goes between IHDR and IDAT. */
export function pngOf(
  header: {
    width: number;
    height: number;
    bitDepth?: number;
    colorType?: number;
    interlace?: number;
  },
  ...before: Uint8Array[]
): Uint8Array {
  const { width, height, bitDepth = 8, colorType = 6, interlace = 0 } = header;
  const samples = [1, 0, 3, 1, 2, 0, 4][colorType];
  const rowBytes = 1 + Math.ceil(width * samples * bitDepth / 8);
  const small = rowBytes * height < 1 << 20;
  return bytesOf(
    "\x89PNG\r\n\x1a\n",
    chunk("IHDR", be32(width), be32(height), bitDepth, colorType, 0, 0, interlace),
    ...before,
    chunk("IDAT", deflateSync(new Uint8Array(small ? rowBytes * height : 1))),
    chunk("IEND"),
  );
}

/** A minimal profile: header, one `desc` tag in the v2 or v4 form, padding to `sizeBytes`. */
export function iccProfile(
  name: string,
  options: { space?: string; version?: 2 | 4; sizeBytes?: number } = {},
): Uint8Array {
  const { space = "RGB ", version = 2 } = options;
  const utf16 = [...name].flatMap((char) => be16(char.charCodeAt(0)));
  const tag = version === 2
    ? bytesOf("desc", be32(0), be32(name.length + 1), name, 0, new Uint8Array(78))
    : bytesOf("mluc", be32(0), be32(1), be32(12), "enUS", be32(utf16.length), be32(28), utf16);
  const sizeBytes = options.sizeBytes ?? 144 + tag.length;
  const profile = new Uint8Array(sizeBytes);
  profile.set(bytesOf(be32(sizeBytes), "test", version, 0x20, 0, 0, "mntr", space, "XYZ "), 0);
  profile.set(bytesOf("acsp"), 36);
  // The illuminant D50, which libpng insists on.
  profile.set(bytesOf(be32(0xf6d6), be32(0x10000), be32(0xd32d)), 68);
  profile.set(bytesOf(be32(1), "desc", be32(144), be32(tag.length)), 128);
  profile.set(tag, 144);
  return profile;
}

/** A RIFF chunk, padded to an even length. */
export function riffChunk(type: string, ...data: Parameters<typeof bytesOf>): Uint8Array {
  const body = bytesOf(...data);
  return bytesOf(type, le32(body.length), body, body.length % 2 ? 0 : []);
}

/** A WebP file of some chunks. */
export function webpOf(...chunks: Uint8Array[]): Uint8Array {
  const body = bytesOf("WEBP", ...chunks);
  return bytesOf("RIFF", le32(body.length), body);
}

/** The header chunk of the extended layout. */
export function vp8xChunk(width: number, height: number, flags: number): Uint8Array {
  return riffChunk("VP8X", le32(flags), le32(width - 1).slice(0, 3), le32(height - 1).slice(0, 3));
}

/** A lossless bitstream header without pixels. */
export function vp8lChunk(width: number, height: number, alpha = false): Uint8Array {
  const bits = (width - 1) + (height - 1) * 2 ** 14 + (alpha ? 2 ** 28 : 0);
  return riffChunk("VP8L", 0x2f, le32(bits), 0);
}

/** One entry of a TIFF directory: tag, type, count, value or offset. */
export type TiffEntry = readonly [tag: number, type: number, count: number, value: number];

/** A TIFF of one directory at offset 8, little- or big-endian; `next` is the next directory. */
export function tiffOf(
  entries: readonly TiffEntry[],
  options: { little?: boolean; next?: number; rest?: Uint8Array } = {},
): Uint8Array {
  const { little = true, next = 0, rest = new Uint8Array(0) } = options;
  const u16 = little ? le16 : be16;
  const u32 = little ? le32 : be32;
  const list = entries.flatMap(([tag, type, count, value]) => [
    ...u16(tag),
    ...u16(type),
    ...u32(count),
    ...(type === 3 && count === 1 ? [...u16(value), 0, 0] : u32(value)),
  ]);
  return bytesOf(
    little ? "II" : "MM",
    u16(42),
    u32(8),
    u16(entries.length),
    list,
    u32(next),
    rest,
  );
}

/** A GIF: screen, then blocks, then the trailer. */
export function gifOf(width: number, height: number, ...blocks: Uint8Array[]): Uint8Array {
  return bytesOf("GIF89a", le16(width), le16(height), 0, 0, 0, ...blocks, 0x3b);
}

/** A GIF frame of one empty data block. */
export function gifFrame(
  rect: { left?: number; top?: number; width: number; height: number; flags?: number },
): Uint8Array {
  const { left = 0, top = 0, width, height, flags = 0 } = rect;
  return bytesOf(0x2c, le16(left), le16(top), le16(width), le16(height), flags, 2, 1, 0, 0);
}

/** An ISO base media box. */
export function box(type: string, ...data: Parameters<typeof bytesOf>): Uint8Array {
  const body = bytesOf(type, ...data);
  return bytesOf(be32(body.length + 4), body);
}

/** A minimal AVIF or HEIC header: one primary item with these properties, no pixels. */
export function heifOf(
  codec: "av01" | "hvc1",
  properties: readonly Uint8Array[],
  options: { order?: readonly number[] } = {},
): Uint8Array {
  const order = options.order ?? properties.map((_, i) => i + 1);
  return bytesOf(
    box("ftyp", codec === "av01" ? "avif" : "heic", be32(0), "mif1"),
    box(
      "meta",
      be32(0),
      box("pitm", be32(0), be16(1)),
      box("iinf", be32(0), be16(1), box("infe", 2, 0, 0, 0, be16(1), be16(0), codec, 0)),
      box(
        "iprp",
        box("ipco", ...properties),
        box("ipma", be32(0), be32(1), be16(1), order.length, order),
      ),
    ),
  );
}
