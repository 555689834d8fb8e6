import assert from "node:assert/strict";
import { createCursorCodec, type CursorScope } from "../../../src/assets/list_cursor.ts";
import { hasCode } from "../../../src/errors.ts";

const SCOPE: CursorScope = { tenant: "acme", state: "READY", mime: null };
const PLACE = { createdAtUs: 1_790_000_000_123_456, assetId: crypto.randomUUID() };

const isInvalid = (error: unknown) => hasCode(error, "invalid_cursor");

Deno.test("createCursorCodec() gives back the place that it was given", () => {
  const codec = createCursorCodec("secret");
  const text = codec.format(PLACE, SCOPE);
  assert.match(text, /^[\w-]{54}$/);
  assert.deepEqual(codec.parse(text, SCOPE), PLACE);
  assert.deepEqual(createCursorCodec("secret").parse(text, SCOPE), PLACE);
});

Deno.test("createCursorCodec() refuses a cursor of another tenant, filter or secret", () => {
  const codec = createCursorCodec("secret");
  const text = codec.format(PLACE, SCOPE);
  for (
    const scope of [
      { ...SCOPE, tenant: "other" },
      { ...SCOPE, state: null },
      { ...SCOPE, mime: "READY" },
      { tenant: "acme", state: null, mime: "READY" },
    ] as CursorScope[]
  ) {
    assert.throws(() => codec.parse(text, scope), isInvalid);
  }
  assert.throws(() => createCursorCodec("other").parse(text, SCOPE), isInvalid);
});

Deno.test("createCursorCodec() refuses every altered spelling", () => {
  const codec = createCursorCodec("secret");
  const text = codec.format(PLACE, SCOPE);
  for (let index = 0; index < text.length; index++) {
    for (const character of ["A", "B", "_", "9"]) {
      if (text[index] === character) continue;
      const altered = text.slice(0, index) + character + text.slice(index + 1);
      assert.throws(() => codec.parse(altered, SCOPE), isInvalid);
    }
  }
  for (const junk of ["", "x", text + "A", text.slice(1), `${text}=`, "\0", "é".repeat(54)]) {
    assert.throws(() => codec.parse(junk, SCOPE), isInvalid);
  }
});
