import assert from "node:assert/strict";
import { parseAssetSelector } from "../../../src/assets/asset_selector.ts";
import { parseListQuery } from "../../../src/assets/list_query.ts";
import { hasCode } from "../../../src/errors.ts";

const parse = (text: string) => parseListQuery(new URLSearchParams(text));

Deno.test("parseListQuery() reads filters, limit and cursor, and has defaults", () => {
  assert.deepEqual(parse("unknown=1"), { state: null, mime: null, limit: 50, cursor: null });
  assert.deepEqual(parse("state=READY&mime=image/svg%2Bxml&limit=200&cursor=abc"), {
    state: "READY",
    mime: "image/svg+xml",
    limit: 200,
    cursor: "abc",
  });
  assert.equal(parse("mime=image/*").mime, "image/*");
});

for (
  const query of [
    "state=ready",
    "state=",
    "state=constructor",
    "state=READY%00",
    "mime=",
    "mime=image",
    "mime=image/%25",
    "mime=image/p%25",
    "mime=*/png",
    "mime=Image/PNG",
    "mime=image/png%00",
    "mime=image/png;q=1",
    "limit=0",
    "limit=201",
    "limit=-1",
    "limit=1e2",
    "limit=010",
    "limit=",
    "limit=10.5",
  ]
) {
  Deno.test(`parseListQuery() refuses ${query}`, () => {
    assert.throws(() => parse(query), (error) => hasCode(error, "invalid_request"));
  });
}

Deno.test("parseAssetSelector() tells ids and hashes apart, and refuses all else", () => {
  const id = crypto.randomUUID();
  const hash = "0f".repeat(32);
  assert.deepEqual(parseAssetSelector(id), { by: "id", id });
  assert.deepEqual(parseAssetSelector(hash), { by: "hash", hash });
  for (
    const text of ["", "1", id.toUpperCase(), `{${id}}`, `${id}\n`, hash.toUpperCase(), "../x"]
  ) {
    assert.throws(() => parseAssetSelector(text), (error) => hasCode(error, "invalid_id"));
  }
});
