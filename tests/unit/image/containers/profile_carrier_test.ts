import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import sharp from "sharp";
import { memorySource } from "../../../../src/core/image_header/byte_source.ts";
import { readIccProfile } from "../../../../src/core/image_header/icc_profile.ts";
import { probeImage } from "../../../../src/core/image_header/probe_image.ts";
import {
  embedProfile,
  extractProfile,
  type PictureShape,
  stripMetadata,
} from "../../../../src/image/containers/profile_carrier.ts";
import { bytesOf, chunk, iccProfile, riffChunk, segment } from "../../../support/image_builder.ts";
import { findMetadata, hasExiftool } from "../../../support/exiftool.ts";

const SIZE = { width: 65, height: 48 } as const;
const FORMATS = ["webp", "jpg", "png", "avif"] as const;

/** An encoded picture; half transparent when `alpha`. */
async function encode(
  format: PictureShape["format"],
  options: { alpha: boolean; lossless?: boolean },
): Promise<Uint8Array> {
  const alpha = options.alpha ? 0.5 : 1;
  const picture = sharp({
    create: {
      ...SIZE,
      channels: options.alpha ? 4 : 3,
      background: { r: 200, g: 30, b: 90, alpha },
    },
  });
  const { lossless = false } = options;
  const encoded = format === "jpg"
    ? picture.flatten().jpeg({ progressive: true })
    : format === "webp"
    ? picture.webp({ lossless })
    : format === "png"
    ? picture.png()
    : picture.avif();
  return new Uint8Array(await encoded.toBuffer());
}

/** Pixels as another decoder sees them, with profiles out of the way. */
async function pixelsOf(bytes: Uint8Array, shape: PictureShape): Promise<Buffer> {
  const plain = shape.format === "avif" ? bytes : stripMetadata(bytes, shape);
  return await sharp(plain, { failOn: "warning" }).ensureAlpha().raw().toBuffer();
}

async function profileIn(bytes: Uint8Array): Promise<Uint8Array | null> {
  const facts = await probeImage(memorySource(bytes));
  return facts?.icc ? await readIccProfile(memorySource(bytes), facts.icc) : null;
}

for (const format of FORMATS) {
  Deno.test(`embedProfile() puts profiles of any size into ${format}, readable by libvips too`, async () => {
    for (const [alpha, lossless] of [[false, false], [true, false], [false, true], [true, true]]) {
      const shape = { ...SIZE, format, alpha: alpha && format !== "jpg" };
      const plain = await encode(format, { alpha, lossless });
      for (const sizeBytes of [304, 65_519, 65_520, 300_000]) {
        const icc = iccProfile("Test RGB", { sizeBytes });
        const bytes = embedProfile(plain, icc, shape);
        const facts = await probeImage(memorySource(bytes));
        assert.equal(facts?.iccName, "Test RGB");
        assert.deepEqual([facts?.width, facts?.height], [SIZE.width, SIZE.height]);
        assert.equal(facts?.hasAlpha, shape.alpha);
        assert.deepEqual(await profileIn(bytes), icc);
        const theirs = await sharp(bytes).metadata();
        assert(theirs.icc?.equals(icc));
        assert.equal(theirs.hasAlpha, shape.alpha);
        if (format === "avif") continue;
        assert(Buffer.compare(await pixelsOf(plain, shape), await pixelsOf(bytes, shape)) === 0);
      }
    }
  });
}

Deno.test("embedProfile() moves the positions in an AVIF so that its pixels stay the same", async () => {
  for (const alpha of [false, true]) {
    const plain = await encode("avif", { alpha });
    // Both the profile and its absence mean sRGB to the reader, so that no conversion is done.
    const srgb = (await sharp(Buffer.alloc(12), { raw: { width: 2, height: 2, channels: 3 } })
      .withIccProfile("srgb").png().toBuffer().then((png) => sharp(png).metadata())).icc;
    assert(srgb);
    const bytes = embedProfile(plain, new Uint8Array(srgb), { ...SIZE, format: "avif", alpha });
    const [before, after] = await Promise.all(
      [plain, bytes].map((file) => sharp(file).ensureAlpha().raw().toBuffer()),
    );
    const worst = before.reduce((most, value, i) => Math.max(most, Math.abs(value - after[i])), 0);
    assert(worst <= 1, `pixels differ by ${worst}`);
  }
});

Deno.test({
  name: "stripMetadata() and embedProfile() leave nothing that exiftool would call metadata",
  ignore: !(await hasExiftool()),
  fn: async () => {
    const icc = iccProfile("Test RGB");
    for (const format of ["webp", "jpg", "png"] as const) {
      const dirty = spoil(format, await withMetadata(format));
      const shape = { ...SIZE, format, alpha: false };
      const [before, ...after] = await findMetadata(
        dirty,
        stripMetadata(dirty, shape),
        embedProfile(dirty, icc, shape),
      );
      assert.notDeepEqual(before, [], `${format}: the test file is clean`);
      assert.deepEqual(after, [[], []], format);
    }
  },
});

Deno.test("stripMetadata() refuses an AVIF with metadata, which our encoder never writes", async () => {
  const picture = sharp({ create: { ...SIZE, channels: 3, background: "red" } });
  const dirty = await picture.avif().withExif({ IFD0: { Copyright: "me" } }).toBuffer();
  const shape = { ...SIZE, format: "avif", alpha: false } as const;
  assert.throws(() => stripMetadata(new Uint8Array(dirty), shape), /AVIF encoder/);
});

Deno.test("extractProfile() passes RGB profiles on and keeps back CMYK, gray and lying ones", async () => {
  const extract = async (space: string, colorModel: "rgb" | "gray" | "cmyk" | "palette") => {
    const shape = { ...SIZE, format: "png", alpha: false } as const;
    const icc = iccProfile("Any", { space });
    const bytes = embedProfile(await encode("png", { alpha: false }), icc, shape);
    const facts = await probeImage(memorySource(bytes));
    assert(facts);
    return await extractProfile(bytes, { ...facts, colorModel });
  };
  assert((await extract("RGB ", "rgb")) !== null);
  assert((await extract("RGB ", "palette")) !== null);
  assert.equal(await extract("CMYK", "cmyk"), null);
  assert.equal(await extract("GRAY", "gray"), null);
  assert.equal(await extract("CMYK", "rgb"), null);
  assert.equal(await extract("RGB ", "gray"), null);
});

async function withMetadata(format: "webp" | "jpg" | "png"): Promise<Uint8Array> {
  const picture = sharp({ create: { ...SIZE, channels: 3, background: "green" } })
    .withExif({ IFD0: { Copyright: "someone" }, IFD3: { GPSLatitude: "51/1 30/1 0/1" } });
  const encoded = format === "jpg"
    ? picture.jpeg()
    : format === "webp"
    ? picture.webp()
    : picture.png();
  return new Uint8Array(await encoded.toBuffer());
}

/** Adds what an encoder could leak: comments, IPTC, XMP, text, time, a trailer. */
function spoil(format: "webp" | "jpg" | "png", file: Uint8Array): Uint8Array {
  const xmp =
    "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/></x:xmpmeta>";
  const trailer = bytesOf("PK\x03\x04 trailing secret");
  if (format === "jpg") {
    const iptc = bytesOf(
      "Photoshop 3.0\0",
      "8BIM",
      4,
      4,
      0,
      0,
      0,
      0,
      0,
      9,
      0x1c,
      2,
      5,
      0,
      4,
      "Name",
      0,
    );
    return bytesOf(
      file.subarray(0, 2),
      segment(0xfe, "a comment"),
      segment(0xed, iptc),
      segment(0xe1, "http://ns.adobe.com/xap/1.0/\0", xmp),
      file.subarray(2),
      trailer,
    );
  }
  if (format === "png") {
    return bytesOf(
      file.subarray(0, 33),
      chunk("tEXt", "Author\0someone"),
      chunk("tIME", 7, 230, 1, 1, 1, 1, 1),
      chunk("iTXt", "XML:com.adobe.xmp\0\0\0\0\0", xmp),
      file.subarray(33),
      trailer,
    );
  }
  return bytesOf(file, riffChunk("XMP ", xmp), trailer);
}
