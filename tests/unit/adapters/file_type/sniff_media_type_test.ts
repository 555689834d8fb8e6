import assert from "node:assert/strict";
import { sniffMediaType } from "../../../../src/adapters/file_type/sniff_media_type.ts";
import {
  bytesOf,
  chunk,
  frameHeader,
  jpegOf,
  pngOf,
  tiffOf,
} from "../../../support/image_builder.ts";

Deno.test("sniffMediaType() goes by the bytes of images, documents and archives", async () => {
  const files: [string, Uint8Array][] = [
    ["image/jpeg", jpegOf(frameHeader(8, 8))],
    ["image/png", pngOf({ width: 3, height: 3 })],
    ["image/png", pngOf({ width: 3, height: 3 }, chunk("acTL", new Uint8Array(8)))],
    ["image/tiff", tiffOf([[256, 3, 1, 1]])],
    ["application/pdf", bytesOf("%PDF-1.7\n")],
    ["application/gzip", bytesOf(0x1f, 0x8b, 8, 0)],
  ];
  for (const [type, bytes] of files) assert.equal(await sniffMediaType(bytes), type);
});

Deno.test("sniffMediaType() tells SVG and HTML, whatever prolog they have", async () => {
  const sniff = (text: string) => sniffMediaType(new TextEncoder().encode(text));
  assert.equal(await sniff('<?xml version="1.0"?>\n<!-- a --><svg xmlns="x">'), "image/svg+xml");
  assert.equal(await sniff("<svg>"), "image/svg+xml");
  assert.equal(await sniff("<html><body>"), "text/html");
  assert.equal(await sniff('<?xml version="1.0"?><x/>'), "application/xml");
});

Deno.test("sniffMediaType() gives the neutral type for unknown, empty and broken bytes", async () => {
  for (
    const bytes of [
      bytesOf(),
      bytesOf(0),
      bytesOf("push graphic-context\n"),
      new Uint8Array(70_000),
    ]
  ) {
    assert.equal(await sniffMediaType(bytes), "application/octet-stream");
  }
  assert.equal(await sniffMediaType(bytesOf("\x89PNG\r\n\x1a\n")), "image/png");
});
