import assert from "node:assert/strict";
import sharp from "sharp";
import { estimateJpegBytes, parseJpegHeader } from "../../../../src/image/jpeg/decode_jpeg.ts";
import { buildHuffmanTable } from "../../../../src/image/jpeg/huffman_table.ts";
import { JpegError } from "../../../../src/image/jpeg/jpeg_error.ts";
import { buildJpeg, type BuildOptions } from "./jpeg_builder.ts";
import { decodeRaster, refusalOf } from "./raster.ts";

const SIZE = { width: 64, height: 48 };
const YCC_420: BuildOptions = { ...SIZE, sampling: [[2, 2], [1, 1], [1, 1]] };
const SCALES = [1, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125] as const;

/** The same noise each time: where a file is cut decides whether it looks cut or corrupt. */
async function progressiveFile(): Promise<Uint8Array> {
  const pixels = new Uint8Array(SIZE.width * SIZE.height * 3);
  let state = 1;
  for (let at = 0; at < pixels.length; at++) {
    // Numerical Recipes' linear congruential generator; its upper bits are the random ones.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    pixels[at] = 98 + (state >>> 26);
  }
  const image = sharp(pixels, { raw: { ...SIZE, channels: 3 } });
  return new Uint8Array(await image.jpeg({ progressive: true }).toBuffer());
}

/** Index of the first byte of a marker's payload (after its length). */
function payloadOf(bytes: Uint8Array, marker: number): number {
  for (let at = 2; at + 4 <= bytes.length;) {
    if (bytes[at + 1] === marker) return at + 4;
    at += 2 + ((bytes[at + 2] << 8) | bytes[at + 3]);
  }
  throw new Error("no such marker");
}

function patched(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = value;
  return copy;
}

function concat(...parts: (Uint8Array | number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

Deno.test("decodeJpeg() refuses every file that is cut before its last entropy-coded byte", async () => {
  const files = [
    buildJpeg(YCC_420).bytes,
    buildJpeg({ ...YCC_420, restartInterval: 2 }).bytes,
    buildJpeg({ ...YCC_420, scans: [[0], [1], [2]] }).bytes,
    await progressiveFile(),
  ];
  for (const bytes of files) {
    for (let length = 0; length < bytes.length - 3; length++) {
      const reason = refusalOf(bytes.subarray(0, length));
      // Cut inside a segment header or right behind a stuffed byte it may look corrupt.
      assert.ok(reason === "truncated" || reason === "corrupt", `${length}: ${reason}`);
    }
  }
});

Deno.test("decodeJpeg() refuses a cut progressive file at every scale", async () => {
  const bytes = await progressiveFile();
  for (const scale of SCALES) {
    for (const part of [0.3, 0.6, 0.9, 0.99]) {
      const cut = bytes.subarray(0, Math.floor(bytes.length * part));
      assert.equal(refusalOf(cut, { scale }), "truncated");
    }
  }
});

Deno.test("decodeJpeg() forgives a missing end-of-image marker", async () => {
  for (const bytes of [buildJpeg(YCC_420).bytes, await progressiveFile()]) {
    for (const scale of SCALES) {
      const whole = decodeRaster(bytes, { scale });
      assert.deepEqual(decodeRaster(bytes.subarray(0, bytes.length - 2), { scale }), whole);
      assert.deepEqual(decodeRaster(bytes.subarray(0, bytes.length - 1), { scale }), whole);
    }
  }
});

Deno.test("decodeJpeg() ignores what follows the end-of-image marker", async () => {
  for (const bytes of [buildJpeg(YCC_420).bytes, await progressiveFile()]) {
    const whole = decodeRaster(bytes, { scale: 1 });
    for (const tail of [[0], [0xff, 0xd8, 0xff, 0xc0], new Array(1000).fill(0xff)]) {
      assert.deepEqual(decodeRaster(concat(bytes, tail), { scale: 1 }), whole);
    }
  }
});

Deno.test("decodeJpeg() allows fill bytes before markers and padding behind the data", () => {
  const { bytes } = buildJpeg(YCC_420);
  const whole = decodeRaster(bytes, { scale: 1 });
  const data = bytes.subarray(0, bytes.length - 2);
  for (const padding of [[0xff, 0xff, 0xff], new Array(50).fill(0), [1, 2, 3, 4, 5, 6]]) {
    assert.deepEqual(decodeRaster(concat(data, padding, [0xff, 0xd9]), { scale: 1 }), whole);
  }
});

Deno.test("decodeJpeg() refuses entropy-coded data that is longer than the picture", () => {
  const { bytes } = buildJpeg(YCC_420);
  const longer = concat(bytes.subarray(0, -2), new Array(20).fill(0x55), [0xff, 0xd9]);
  assert.equal(refusalOf(longer), "corrupt");
});

Deno.test("decodeJpeg() refuses missing, repeated and swapped restart markers", () => {
  const { bytes } = buildJpeg({ ...YCC_420, restartInterval: 2 });
  const at = bytes.findIndex((byte, i) => byte === 0xff && bytes[i + 1] === 0xd0);
  assert.equal(refusalOf(patched(bytes, at + 1, 0xd1)), "corrupt");
  assert.notEqual(refusalOf(concat(bytes.subarray(0, at), bytes.subarray(at + 2))), "decoded");
  const doubled = concat(bytes.subarray(0, at + 2), bytes.subarray(at));
  assert.notEqual(refusalOf(doubled), "decoded");
});

Deno.test("decodeJpeg() names the processes that it does not read", () => {
  const { bytes } = buildJpeg(YCC_420);
  const frame = payloadOf(bytes, 0xc1);
  for (const marker of [0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf]) {
    assert.equal(refusalOf(patched(bytes, frame - 3, marker)), "unsupported");
  }
  assert.equal(refusalOf(patched(bytes, frame, 12)), "unsupported", "12 bits");
  for (const count of [0, 2]) {
    assert.equal(refusalOf(patched(bytes, frame + 5, count)), "unsupported", "components");
  }
  assert.equal(refusalOf(concat([0xff, 0xd8, 0xff, 0xde, 0, 2], bytes.subarray(2))), "unsupported");
});

Deno.test("decodeJpeg() refuses impossible headers as corrupt", () => {
  const { bytes } = buildJpeg(YCC_420);
  const frame = payloadOf(bytes, 0xc1);
  const scan = payloadOf(bytes, 0xda);
  const cases: Record<string, Uint8Array> = {
    "nothing": new Uint8Array(0),
    "not a JPEG": Uint8Array.of(0x89, 0x50, 0x4e, 0x47),
    "width of 0": patched(patched(bytes, frame + 3, 0), frame + 4, 0),
    "height of 0 without DNL": patched(patched(bytes, frame + 1, 0), frame + 2, 0),
    "sampling factor of 0": patched(bytes, frame + 7, 0x20),
    "sampling factor of 5": patched(bytes, frame + 7, 0x51),
    "too many blocks in an MCU": patched(bytes, frame + 7, 0x44),
    "quantisation table above 3": patched(bytes, frame + 8, 4),
    "undefined quantisation table": patched(bytes, frame + 8, 2),
    "undefined Huffman table": patched(bytes, scan + 2, 0x22),
    "scan of an unknown component": patched(bytes, scan + 1, 9),
    "scan before the frame": concat([0xff, 0xd8], bytes.subarray(scan - 4)),
    "two frames": concat(bytes.subarray(0, scan - 4), bytes.subarray(frame - 4)),
    "contradicting DNL": concat(
      bytes.subarray(0, scan - 4),
      [0xff, 0xdc, 0, 4, 0, 1],
      bytes.subarray(scan - 4),
    ),
  };
  for (const [name, file] of Object.entries(cases)) assert.equal(refusalOf(file), "corrupt", name);
});

Deno.test("decodeJpeg() refuses a component that is coded twice", () => {
  assert.equal(refusalOf(buildJpeg({ ...YCC_420, scans: [[0], [0], [1], [2]] }).bytes), "corrupt");
});

Deno.test("buildHuffmanTable() refuses codes that do not fit their lengths", () => {
  const symbols = Uint8Array.from({ length: 256 }, (_, i) => i & 15);
  const table = (...counts: number[]) => ({
    counts: Uint8Array.from({ length: 16 }, (_, i) => counts[i] ?? 0),
    symbols,
  });
  for (const spec of [table(3), table(2, 1), table(1, 3), table(0, 0, 9), table(1, 1, 1, 3)]) {
    assert.throws(() => buildHuffmanTable(spec, "ac"), JpegError);
  }
  buildHuffmanTable(table(2), "ac");
  const wide = { counts: table(1).counts, symbols: Uint8Array.of(16) };
  assert.throws(() => buildHuffmanTable(wide, "dc"), JpegError);
});

Deno.test("decodeJpeg() refuses bits that are no code", () => {
  const { bytes } = buildJpeg({ ...SIZE, sampling: [[1, 1]] });
  const scan = payloadOf(bytes, 0xda) + 6;
  const ones = new Array(60).fill([0xff, 0x00]).flat();
  assert.equal(refusalOf(concat(bytes.subarray(0, scan), ones, [0xff, 0xd9])), "corrupt");
});

Deno.test("decodeJpeg() keeps to its limits", async () => {
  const { bytes } = buildJpeg(YCC_420);
  assert.equal(refusalOf(bytes, { limits: { maxPixels: 64 * 48 - 1 } }), "budget");
  assert.equal(refusalOf(bytes, { limits: { maxPixels: 64 * 48 } }), "decoded");
  assert.equal(refusalOf(bytes, { limits: { maxBufferBytes: 100_000 } }), "budget");
  const progressive = await progressiveFile();
  assert.equal(refusalOf(progressive, { limits: { maxScans: 9 } }), "budget");
  assert.equal(refusalOf(progressive, { limits: { maxScans: 10 } }), "decoded");
  assert.equal(refusalOf(progressive, { limits: { maxBufferBytes: 140_000 } }), "budget");
});

Deno.test("estimateJpegBytes() says what maxBufferBytes must allow", async () => {
  const { sampling } = YCC_420;
  const files = [
    buildJpeg({ width: 640, height: 480, sampling }).bytes,
    buildJpeg({ width: 640, height: 480, sampling, scans: [[0], [1], [2]] }).bytes,
    await progressiveFile(),
  ];
  for (const scale of SCALES) {
    const estimates = files.map((bytes) => estimateJpegBytes(bytes, scale));
    files.forEach((bytes, i) => {
      const limitOf = (maxBufferBytes: number) => ({ scale, limits: { maxBufferBytes } });
      assert.equal(refusalOf(bytes, limitOf(estimates[i])), "decoded");
      assert.equal(refusalOf(bytes, limitOf(estimates[i] - 1)), "budget");
    });
    assert.ok(estimates[1] > estimates[0]);
  }
});

Deno.test("decodeJpeg() refuses thousands of scans and repeated scans at once", async () => {
  const bytes = await progressiveFile();
  const first = payloadOf(bytes, 0xda) - 4;
  const second = bytes.findIndex((byte, i) => i > first + 2 && byte === 0xff && bytes[i + 1] !== 0);
  const scan = bytes.subarray(first, second);
  const parts = new Array(5000).fill(scan);
  const start = performance.now();
  assert.notEqual(refusalOf(concat(bytes.subarray(0, first), ...parts)), "decoded");
  assert.ok(performance.now() - start < 5000);
});

Deno.test("decodeJpeg() decodes as before when the decode before it failed", () => {
  const { bytes } = buildJpeg(YCC_420);
  const whole = decodeRaster(bytes, { scale: 1 });
  for (let length = bytes.length - 10; length > bytes.length - 200; length--) {
    assert.notEqual(refusalOf(bytes.subarray(0, length)), "decoded");
    assert.deepEqual(decodeRaster(bytes, { scale: 1 }), whole);
  }
});

Deno.test("parseJpegHeader() refuses a file without a scan", () => {
  assert.throws(() => parseJpegHeader(Uint8Array.of(0xff, 0xd8, 0xff, 0xd9)), JpegError);
});
