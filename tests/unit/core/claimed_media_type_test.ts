import assert from "node:assert/strict";
import {
  chooseMediaType,
  looksLikeText,
  parseMediaType,
} from "../../../src/core/claimed_media_type.ts";

const OCTETS = "application/octet-stream";

Deno.test("parseMediaType() gives the essence in lower case or nothing", () => {
  assert.equal(parseMediaType("Text/CSV; charset=utf-8"), "text/csv");
  for (
    const bad of ["", "text", "text/", "/csv", "te xt/csv", "text/csv/x", "a".repeat(300) + "/b"]
  ) {
    assert.equal(parseMediaType(bad), null, bad);
  }
  assert.equal(parseMediaType(null), null);
});

Deno.test("chooseMediaType() lets the bytes win over the claim", () => {
  assert.equal(
    chooseMediaType({ sniffed: "image/png", claimed: "text/html", isText: false }),
    "image/png",
  );
  assert.equal(
    chooseMediaType({ sniffed: "text/html", claimed: "image/jpeg", isText: true }),
    "text/html",
  );
});

Deno.test("chooseMediaType() believes a claim about bytes without a signature", () => {
  assert.equal(chooseMediaType({ sniffed: OCTETS, claimed: "text/csv", isText: true }), "text/csv");
  assert.equal(
    chooseMediaType({ sniffed: OCTETS, claimed: "application/x-own", isText: false }),
    "application/x-own",
  );
});

Deno.test("chooseMediaType() does not believe what the bytes would have shown", () => {
  for (const claimed of ["image/jpeg", "video/mp4", "audio/mpeg", "font/woff2"]) {
    assert.equal(chooseMediaType({ sniffed: OCTETS, claimed, isText: false }), OCTETS, claimed);
  }
  assert.equal(chooseMediaType({ sniffed: OCTETS, claimed: "text/plain", isText: false }), OCTETS);
  assert.equal(
    chooseMediaType({ sniffed: OCTETS, claimed: "multipart/form-data; boundary=x", isText: true }),
    "text/plain",
  );
});

Deno.test("chooseMediaType() refines XML by a claimed kind of XML only", () => {
  const xml = { sniffed: "application/xml", isText: true };
  assert.equal(chooseMediaType({ ...xml, claimed: "application/rss+xml" }), "application/rss+xml");
  assert.equal(chooseMediaType({ ...xml, claimed: "text/plain" }), "application/xml");
});

Deno.test("looksLikeText() tells UTF-8 from binary", () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  assert.equal(looksLikeText(encode("grüße\n\t写真")), true);
  assert.equal(looksLikeText(encode("grüße").subarray(0, 3)), true, "cut inside a character");
  assert.equal(looksLikeText(Uint8Array.of(0x61, 0x00)), false);
  assert.equal(looksLikeText(Uint8Array.of(0xc3, 0x28)), false);
});
