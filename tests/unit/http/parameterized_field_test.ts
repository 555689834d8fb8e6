import assert from "node:assert/strict";
import { AppError } from "../../../src/errors.ts";
import { parseParameterizedField, readFileName } from "../../../src/http/parameterized_field.ts";

function fileNameOf(field: string): string | null {
  return readFileName(parseParameterizedField(field));
}

Deno.test("parseParameterizedField() takes a field apart", () => {
  const { value, parameters } = parseParameterizedField(
    'Multipart/Form-Data ; BOUNDARY="a\\"b;c" ;; charset=utf-8;',
  );
  assert.equal(value, "multipart/form-data");
  assert.deepEqual([...parameters], [["boundary", 'a"b;c'], ["charset", "utf-8"]]);
});

Deno.test("parseParameterizedField() refuses what breaks the grammar, in linear time", () => {
  const bad = ["", ";", "a b", "a; b=", 'a; b="c', "a; b=c d", "a; b=c; b=d", "a; =c", "a, b"];
  for (const field of [...bad, `a${";b".repeat(50_000)}`, `a; b="${"\\".repeat(99_999)}`]) {
    assert.throws(
      () => parseParameterizedField(field),
      (error) => error instanceof AppError && error.code === "invalid_header",
      field.slice(0, 40),
    );
  }
});

// The values of RFC 6266, section 5, and of what clients send in its stead.
Deno.test("readFileName() reads the names that clients send", () => {
  assert.equal(fileNameOf("Attachment; filename=example.html"), "example.html");
  assert.equal(fileNameOf('INLINE; FILENAME= "an example.html"'), "an example.html");
  assert.equal(fileNameOf("attachment; filename*= UTF-8''%e2%82%ac%20rates"), "€ rates");
  assert.equal(
    fileNameOf("attachment; filename=\"EURO rates\"; filename*=utf-8'en'%e2%82%ac%20rates"),
    "€ rates",
  );
  const utf8AsLatin1 = String.fromCharCode(...new TextEncoder().encode("été.jpg"));
  assert.equal(fileNameOf(`attachment; filename="${utf8AsLatin1}"`), "été.jpg");
  assert.equal(fileNameOf('attachment; filename="\xe9t\xe9.jpg"'), "été.jpg");
  assert.equal(fileNameOf("attachment"), null);
});

Deno.test("readFileName() refuses extended values that are not UTF-8", () => {
  for (const value of ["UTF-8''%FF", "iso-8859-1''%E9", "UTF-8'x", "UTF-8''%", "UTF-8''a%2"]) {
    assert.throws(() => fileNameOf(`attachment; filename*=${value}`), AppError, value);
  }
});
