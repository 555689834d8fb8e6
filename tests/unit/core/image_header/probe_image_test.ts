import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import type { ImageFacts } from "../../../../src/core/image_facts.ts";
import { memorySource } from "../../../../src/core/image_header/byte_source.ts";
import { probeImage } from "../../../../src/core/image_header/probe_image.ts";
import { type ErrorCode, hasCode } from "../../../../src/errors.ts";
import {
  be16,
  be32,
  box,
  bytesOf,
  chunk,
  exifBlock,
  frameHeader,
  gifFrame,
  gifOf,
  heifOf,
  iccProfile,
  jpegOf,
  le16,
  le32,
  pngOf,
  riffChunk,
  segment,
  tiffOf,
  vp8lChunk,
  vp8xChunk,
  webpOf,
} from "../../../support/image_builder.ts";

async function probe(bytes: Uint8Array): Promise<ImageFacts> {
  const facts = await probeImage(memorySource(bytes));
  assert(facts, "not recognised as an image");
  return facts;
}

async function refuses(bytes: Uint8Array, code: ErrorCode): Promise<void> {
  await assert.rejects(() => probeImage(memorySource(bytes)), (error) => {
    assert(hasCode(error, code), String(error));
    return true;
  });
}

const exifSegment = (orientation: number) =>
  segment(0xe1, "Exif\0\0", exifBlock(orientation, { little: false }));

Deno.test("probeImage() gives null when the bytes are no image", async () => {
  for (
    const bytes of [bytesOf(), bytesOf(0), bytesOf("hello"), new Uint8Array(70_000), bytesOf("BM")]
  ) {
    assert.equal(await probeImage(memorySource(bytes)), null);
  }
});

Deno.test("probeImage() reads size, process and orientation of a JPEG", async () => {
  const facts = await probe(jpegOf(exifSegment(6), frameHeader(40, 30, { marker: 0xc2 })));
  assert.deepEqual(
    [facts.width, facts.height, facts.orientation, facts.orientedWidth, facts.orientedHeight],
    [40, 30, 6, 30, 40],
  );
  assert.deepEqual([facts.progressive, facts.compression], [true, "progressive"]);
});

Deno.test("probeImage() counts a JPEG orientation out of range as 1, and the first of two", async () => {
  for (const value of [0, 9, 65535]) {
    assert.equal((await probe(jpegOf(exifSegment(value), frameHeader(2, 1)))).orientation, 1);
  }
  const two = jpegOf(exifSegment(6), exifSegment(8), frameHeader(2, 1));
  assert.equal((await probe(two)).orientation, 6);
});

Deno.test("probeImage() takes no frame header out of an APP1 segment", async () => {
  const thumbnail = segment(0xe1, jpegOf(frameHeader(9999, 9999)));
  assert.equal((await probe(jpegOf(thumbnail, frameHeader(8, 8)))).width, 8);
});

Deno.test("probeImage() refuses a JPEG with two frame headers, none, or a lying one", async () => {
  await refuses(jpegOf(frameHeader(8, 8), frameHeader(4000, 4000)), "image_undecodable");
  await refuses(jpegOf(), "image_undecodable");
  await refuses(jpegOf(segment(0xc0, 8, be16(8), be16(8), 3, 1, 0x11, 0)), "image_undecodable");
  await refuses(jpegOf(frameHeader(8, 0)), "image_undecodable");
  await refuses(jpegOf(frameHeader(0, 8)), "image_undecodable");
});

Deno.test("probeImage() refuses impossible JPEG segment lengths, floods and cut-off headers", async () => {
  await refuses(bytesOf(0xff, 0xd8, 0xff, 0xe1, 0, 1, 0, 0), "image_undecodable");
  await refuses(bytesOf(0xff, 0xd8, new Uint8Array(65536).fill(0xff)), "image_undecodable");
  await refuses(bytesOf(0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff, 0, 0), "image_truncated");
  const shortComment = jpegOf(bytesOf(0xff, 0xfe, 0, 0), frameHeader(8, 8));
  assert.equal((await probe(shortComment)).width, 8);
  await refuses(bytesOf(0xff, 0xd8, 0xff), "image_truncated");
  await refuses(bytesOf(0xff, 0xd8, 0xff, 0xd9), "image_undecodable");
});

Deno.test("probeImage() tells CMYK from YCCK by Adobe's marker", async () => {
  const adobe = (transform: number) => segment(0xee, "Adobe", be16(100), be32(0), transform);
  const four = frameHeader(8, 8, { components: 4 });
  assert.equal((await probe(jpegOf(four))).colorModel, "cmyk");
  assert.equal((await probe(jpegOf(adobe(0), four))).colorModel, "cmyk");
  assert.equal((await probe(jpegOf(adobe(2), four))).colorModel, "ycck");
  assert.equal((await probe(jpegOf(frameHeader(8, 8, { components: 1 })))).colorModel, "gray");
});

Deno.test("probeImage() reads depth, alpha, interlace and frames of a PNG", async () => {
  const palette = { width: 5, height: 4, bitDepth: 4, colorType: 3, interlace: 1 };
  const facts = await probe(pngOf(palette, chunk("PLTE", 1, 2, 3), chunk("tRNS", 0)));
  assert.deepEqual(
    [facts.bitDepth, facts.colorModel, facts.hasAlpha, facts.progressive],
    [4, "palette", true, true],
  );
  const frameControl = chunk("fcTL", new Uint8Array(26));
  const apng = pngOf({ width: 5, height: 4 }, chunk("acTL", be32(2), be32(0)), frameControl);
  assert.equal((await probe(apng)).frames, 2);
  const lying = pngOf({ width: 5, height: 4 }, chunk("acTL", be32(1e9), be32(0)), frameControl);
  assert.equal((await probe(lying)).frames, 1);
  const oriented = pngOf({ width: 5, height: 4 }, chunk("eXIf", exifBlock(5)));
  assert.equal((await probe(oriented)).orientedWidth, 4);
});

Deno.test("probeImage() refuses a PNG header with a wrong checksum, size or pixel format", async () => {
  const wrong = pngOf({ width: 5, height: 4 });
  wrong[29] ^= 1;
  await refuses(wrong, "image_undecodable");
  await refuses(pngOf({ width: 0, height: 4 }), "image_undecodable");
  await refuses(pngOf({ width: 5, height: 4, bitDepth: 4, colorType: 2 }), "image_undecodable");
  await refuses(pngOf({ width: 5, height: 4 }).subarray(0, 40), "image_truncated");
});

Deno.test("probeImage() reports a size of 2147483647 squared without allocating", async () => {
  const facts = await probe(pngOf({ width: 0x7fffffff, height: 0x7fffffff }));
  assert.equal(facts.width, 0x7fffffff);
});

Deno.test("probeImage() names the ICC profile of every format that carries one", async () => {
  const icc = iccProfile("Display P3");
  const prof = box("colr", "prof", iccProfile("Display P3", { version: 4 }));
  const ispe = box("ispe", be32(0), be32(4), be32(4));
  const files: Record<string, Uint8Array> = {
    jpeg: jpegOf(
      segment(0xe2, "ICC_PROFILE\0", 2, 2, icc.subarray(100)),
      segment(0xe2, "ICC_PROFILE\0", 1, 2, icc.subarray(0, 100)),
      frameHeader(4, 4),
    ),
    png: pngOf({ width: 4, height: 4 }, chunk("iCCP", "name\0\0", deflateSync(icc))),
    webp: webpOf(vp8xChunk(4, 4, 0x20), riffChunk("ICCP", icc), vp8lChunk(4, 4)),
    tiff: tiffOf([[256, 3, 1, 4], [257, 3, 1, 4], [34675, 7, icc.length, 50]], { rest: icc }),
    avif: heifOf("av01", [ispe, box("av1C", 0x81, 0, 0, 0), prof]),
    heic: heifOf("hvc1", [ispe, box("hvcC", new Uint8Array(23)), prof]),
  };
  for (const [format, bytes] of Object.entries(files)) {
    const facts = await probe(bytes);
    assert.deepEqual([format, facts.format, facts.iccName], [format, format, "Display P3"]);
    assert.equal(facts.icc?.space, "RGB");
  }
});

Deno.test("probeImage() treats a profile as absent when parts miss, or it is a bomb", async () => {
  const icc = iccProfile("Lost");
  const missing = jpegOf(segment(0xe2, "ICC_PROFILE\0", 1, 2, icc), frameHeader(4, 4));
  assert.equal((await probe(missing)).icc, null);
  const bomb = deflateSync(new Uint8Array(64 << 20));
  const png = pngOf({ width: 4, height: 4 }, chunk("iCCP", "bomb\0\0", bomb));
  assert.equal((await probe(png)).icc, null);
});

Deno.test("probeImage() reads all three WebP layouts and refuses canvas lies", async () => {
  const vp8 = riffChunk("VP8 ", 0, 0, 0, 0x9d, 1, 0x2a, le16(30), le16(20));
  assert.deepEqual([(await probe(webpOf(vp8))).width, (await probe(webpOf(vp8))).height], [30, 20]);
  assert.equal((await probe(webpOf(vp8lChunk(30, 20, true)))).hasAlpha, true);
  const exif = riffChunk("EXIF", exifBlock(8));
  assert.equal((await probe(webpOf(vp8xChunk(30, 20, 8), vp8, exif))).orientation, 8);
  await refuses(webpOf(vp8xChunk(3000, 20, 0), vp8), "image_undecodable");
  const frame = riffChunk("ANMF", new Uint8Array(24));
  assert.equal((await probe(webpOf(vp8xChunk(30, 20, 2), frame, frame, frame))).frames, 3);
});

Deno.test("probeImage() reads TIFF in both byte orders and survives directory loops", async () => {
  for (const little of [true, false]) {
    const tiff = tiffOf([[256, 3, 1, 7], [257, 4, 1, 9], [274, 3, 1, 6]], { little, next: 8 });
    const facts = await probe(tiff);
    assert.deepEqual([facts.width, facts.height, facts.orientation, facts.frames], [7, 9, 6, 1]);
  }
  await refuses(bytesOf("II", le16(42), le32(4)), "image_undecodable");
  await refuses(bytesOf("II+\0", le16(8), le16(0), le32(16), le32(0)), "unsupported_image");
});

Deno.test("probeImage() counts GIF frames, also of a file that is cut off", async () => {
  const frames = [1, 2, 3].map(() => gifFrame({ width: 6, height: 5 }));
  const gif = gifOf(6, 5, ...frames);
  assert.equal((await probe(gif)).frames, 3);
  assert.equal((await probe(gif.subarray(0, gif.length - 4))).frames, 3);
  assert.equal(
    (await probe(gifOf(9, 9, gifFrame({ left: 2, width: 6, height: 5 })))).hasAlpha,
    true,
  );
  await refuses(gifOf(6, 5), "image_undecodable");
});

Deno.test("probeImage() reads BMP headers, also of top-down files", async () => {
  const bmp = (width: number, height: number, bits = 24) =>
    bytesOf(
      "BM",
      new Uint8Array(12),
      le32(40),
      le32(width),
      le32(height),
      1,
      0,
      le16(bits),
      new Uint8Array(24),
    );
  assert.equal((await probe(bmp(12, -34))).height, 34);
  await refuses(bmp(12, 34, 40), "image_undecodable");
  await refuses(bmp(-12, 34), "image_undecodable");
});

Deno.test("probeImage() applies irot, then imir, and ignores EXIF in AVIF", async () => {
  const properties = [
    box("ispe", be32(0), be32(64), be32(32)),
    box("av1C", 0x81, 0, 0x40, 0),
    box("irot", 1),
    box("imir", 0),
  ];
  const facts = await probe(heifOf("av01", properties));
  assert.deepEqual(
    [facts.orientation, facts.orientedWidth, facts.orientedHeight, facts.bitDepth],
    [5, 32, 64, 10],
  );
  await refuses(heifOf("av01", [box("av1C", 0x81, 0, 0, 0)]), "image_undecodable");
});

Deno.test("probeImage() takes the size of an SVG from lengths, view box or the default", async () => {
  const size = async (root: string) => {
    const facts = await probe(
      bytesOf(
        `<?xml version="1.0"?><!-- <svg> -->\n<!DOCTYPE svg [<!ENTITY a "b>">]>${root}</svg>`,
      ),
    );
    return [facts.width, facts.height];
  };
  assert.deepEqual(await size('<svg width="10" height="20mm">'), [10, 76]);
  assert.deepEqual(await size('<svg viewBox="0 0 30 40">'), [30, 40]);
  assert.deepEqual(await size('<svg viewBox="0 0 30 40" width="60">'), [60, 80]);
  assert.deepEqual(await size('<svg width="100%" viewBox="0,0,30.5,40">'), [31, 40]);
  assert.deepEqual(await size("<svg>"), [300, 150]);
  await refuses(bytesOf('<svg width="0" height="5"/>'), "image_undecodable");
});

Deno.test("probeImage() finds the same facts through short ranged reads", async () => {
  const icc = iccProfile("P3", { sizeBytes: 200_000 });
  const parts = [0, 1, 2, 3].map((i) =>
    segment(0xe2, "ICC_PROFILE\0", i + 1, 4, icc.subarray(i * 50_000, (i + 1) * 50_000))
  );
  const bytes = jpegOf(exifSegment(3), ...parts, frameHeader(40, 30));
  let reads = 0;
  const facts = await probeImage({
    size: bytes.length,
    read: (offset, length) => {
      reads++;
      assert(offset >= 0 && offset + length <= bytes.length, "read outside the file");
      return Promise.resolve(bytes.slice(offset, offset + length));
    },
  });
  assert.deepEqual(facts, await probe(bytes));
  assert(reads <= 12, `${reads} reads`);
});
