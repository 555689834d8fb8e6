import assert from "node:assert/strict";
import { isActiveContent, sniffMarkup } from "../../../src/core/media_type.ts";

const sniff = (text: string) => sniffMarkup(new TextEncoder().encode(text));

Deno.test("isActiveContent() is true for what a browser could execute", () => {
  for (
    const type of [
      "image/svg+xml",
      "text/html; charset=utf-8",
      "Application/XML",
      "application/rss+xml",
    ]
  ) assert.equal(isActiveContent(type), true, type);
  for (const type of ["image/png", "application/pdf", "application/octet-stream", "text/plain"]) {
    assert.equal(isActiveContent(type), false, type);
  }
});

Deno.test("sniffMarkup() sees HTML behind white space, comments and byte order marks", () => {
  assert.equal(sniff("<!DOCTYPE html><p>"), "text/html");
  assert.equal(sniff("\ufeff \n<script>alert(1)</script>"), "text/html");
  assert.equal(sniff("<!-- x --><html >"), "text/html");
  assert.equal(sniff("<!-- anything"), "text/html");
});

Deno.test("sniffMarkup() tells XHTML and other XML from plain text", () => {
  assert.equal(sniff('<?xml version="1.0"?><html xmlns="x">'), "application/xhtml+xml");
  assert.equal(sniff('<?xml version="1.0"?><feed>'), "application/xml");
  assert.equal(sniff('<!DOCTYPE x [<!ENTITY a "b">]><x>'), "application/xml");
  for (const text of ["", "hello <html>", "<3", "{}", "a,b"]) assert.equal(sniff(text), null, text);
});

Deno.test("sniffMarkup() stays linear on megabytes of unclosed prolog", () => {
  for (const start of ["<?", "<!--", "<!DOCTYPE [", "<!DOCTYPE x '", "<svg a='"]) {
    const startedAt = performance.now();
    sniff(start + "<".repeat(1 << 20));
    assert(performance.now() - startedAt < 2_000, start);
  }
});
