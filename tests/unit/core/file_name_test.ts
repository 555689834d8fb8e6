import assert from "node:assert/strict";
import { MAX_FILE_NAME_BYTES, sanitizeFileName } from "../../../src/core/file_name.ts";
import { hasCode } from "../../../src/errors.ts";

Deno.test("sanitizeFileName() keeps an ordinary name in any script", () => {
  for (
    const name of ["photo.jpg", "Ünïcödé – 写真 👩‍👩‍👧.png", "no extension", ".hidden", "a.tar.gz"]
  ) {
    assert.equal(sanitizeFileName(name), name.normalize("NFC"));
  }
});

Deno.test("sanitizeFileName() takes the last part of a path of either kind", () => {
  assert.equal(sanitizeFileName("../../etc/passwd"), "passwd");
  assert.equal(sanitizeFileName("C:\\Users\\me\\cat.jpg"), "cat.jpg");
  assert.equal(sanitizeFileName("a/b\\c"), "c");
});

Deno.test("sanitizeFileName() has nothing to say for names without substance", () => {
  for (const name of ["", " ", ".", "..", "a/", "/", "\u202e\u200b", "\r\n"]) {
    assert.equal(sanitizeFileName(name), null, JSON.stringify(name));
  }
  assert.equal(sanitizeFileName(null), null);
});

Deno.test("sanitizeFileName() removes controls and bidirectional marks", () => {
  assert.equal(sanitizeFileName("photo\u202egpj.exe"), "photogpj.exe");
  assert.equal(sanitizeFileName("a\r\nSet-Cookie: x.jpg"), "aSet-Cookie: x.jpg");
  assert.equal(sanitizeFileName("\ufeffa\u0085b\u2066c\u061cd.txt"), "abcd.txt");
});

Deno.test("sanitizeFileName() refuses NUL", () => {
  assert.throws(() => sanitizeFileName("a\0b.jpg"), (error) => hasCode(error, "invalid_request"));
});

Deno.test("sanitizeFileName() makes lone surrogates storable", () => {
  assert.equal(sanitizeFileName("a\ud800b"), "a\ufffdb");
});

Deno.test("sanitizeFileName() cuts a long name before its extension, between characters", () => {
  const cut = sanitizeFileName("ä".repeat(300) + ".jpeg")!;
  assert.ok(cut.endsWith("ä.jpeg"));
  assert.equal(new TextEncoder().encode(cut).byteLength, MAX_FILE_NAME_BYTES);
  const emoji = sanitizeFileName("😀".repeat(100))!;
  assert.equal(emoji, "😀".repeat(63));
});

Deno.test("sanitizeFileName() stays bounded for a name of megabytes", () => {
  const cut = sanitizeFileName("x".repeat(5_000_000) + ".png")!;
  assert.equal(cut.length, MAX_FILE_NAME_BYTES);
  assert.ok(cut.endsWith(".png"));
});
