import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { AppError } from "../../../src/errors.ts";
import { parseDigestField, readDigests } from "../../../src/http/content_digest.ts";

// RFC 9530, appendix D: the digest of {"hello": "world"} and a line feed.
const HELLO = "RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=";

Deno.test("parseDigestField() reads the sha-256 of the RFC's example", () => {
  const digest = parseDigestField(`sha-256=:${HELLO}:`);
  assert.equal(Buffer.from(digest ?? []).toString("base64"), HELLO);
});

Deno.test("parseDigestField() ignores other algorithms, parameters and order", () => {
  assert.equal(parseDigestField(null), null);
  assert.equal(parseDigestField("sha-512=:AAAA:, unixsum=30637"), null);
  const digest = parseDigestField(`md5=:AA==:;q=1 ,  sha-256=:${HELLO}:;x="y", z`);
  assert.equal(digest?.byteLength, 32);
});

Deno.test("parseDigestField() takes the last of two members, as dictionaries do", () => {
  const digest = parseDigestField(`sha-256=:${"A".repeat(43)}=:, sha-256=:${HELLO}:`);
  assert.equal(Buffer.from(digest ?? []).toString("base64"), HELLO);
});

Deno.test("parseDigestField() refuses what is not a dictionary of digests", () => {
  const bad = [
    "sha-256",
    "sha-256=abc",
    "sha-256=:AAAA:",
    `sha-256=:${HELLO}`,
    "Sha-256=:AA==:",
    "a=:AA==:,",
    "=",
    "sha-256=:*:",
    "sha-256=(:AA==:)",
    "é=1",
  ];
  for (const value of bad) {
    assert.throws(
      () => parseDigestField(value),
      (error) => error instanceof AppError && error.code === "invalid_header",
      value,
    );
  }
});

Deno.test("readDigests() reads both fields", () => {
  const value = `sha-256=:${HELLO}:`;
  const headers = new Headers({ "content-digest": value, "repr-digest": value });
  assert.equal(readDigests(headers).length, 2);
  assert.equal(readDigests(new Headers()).length, 0);
});
