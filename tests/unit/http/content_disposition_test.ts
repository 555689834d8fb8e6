import assert from "node:assert/strict";
import { formatContentDisposition } from "../../../src/http/content_disposition.ts";

Deno.test("formatContentDisposition() formats names after RFC 6266 and RFC 8187", () => {
  const cases: [string | null, string][] = [
    [null, "inline"],
    ["", "inline"],
    ["photo.jpg", 'inline; filename="photo.jpg"'],
    ["a b.jpg", 'inline; filename="a b.jpg"'],
    ["naïve €.jpg", `inline; filename="na_ve _.jpg"; filename*=UTF-8''na%C3%AFve%20%E2%82%AC.jpg`],
    ["q\"uote's.jpg", `inline; filename="q_uote's.jpg"; filename*=UTF-8''q%22uote%27s.jpg`],
    ["100%.jpg", `inline; filename="100_.jpg"; filename*=UTF-8''100%25.jpg`],
    ["(1)*.jpg", 'inline; filename="(1)*.jpg"'],
    ["../../etc/passwd", 'inline; filename="passwd"'],
    ["C:\\evil\\x.exe", 'inline; filename="x.exe"'],
    ["..", "inline"],
  ];
  for (const [name, expected] of cases) {
    assert.equal(formatContentDisposition("inline", name), expected, String(name));
  }
});

Deno.test("formatContentDisposition() cannot be made to add a header, a parameter or a disguise", () => {
  const hostile = [
    "a\r\nSet-Cookie: x=1.jpg",
    "a\u0000b.jpg",
    "a\u0085b\u2028c.jpg",
    "photo\u202egpj.exe",
    'a"; filename="b.exe',
    'a\\"; filename=b',
    "\ud800.jpg",
    "é".repeat(5_000) + ".jpg",
  ];
  for (const name of hostile) {
    const value = formatContentDisposition("attachment", name);
    assert.match(
      value,
      /^attachment; filename="[\x20-\x21\x23-\x5b\x5d-\x7e]*"(?:; filename\*=UTF-8''[\w!#$&+.^`|~%-]+)?$/,
    );
    // deno-lint-ignore no-control-regex -- control characters are what must be gone
    assert.doesNotMatch(decodeURIComponent(value), /[\u0000-\u001f\u007f-\u009f\u202e\u2028]/);
    assert.ok(value.length < 2_000);
    new Headers({ "content-disposition": value });
  }
});
