import assert from "node:assert/strict";
import { createUuidV7 } from "../../../src/app/uuid_v7.ts";

Deno.test("createUuidV7() spells time, version and variant as RFC 9562 does", () => {
  // The RFC's example, appendix A.6: Unix time 0x017F22E279B0 ms.
  const id = createUuidV7(0x017f22e279b0);
  assert.match(id, /^017f22e2-79b0-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

Deno.test("createUuidV7() sorts by time and does not repeat", () => {
  assert.ok(createUuidV7(1_000) < createUuidV7(1_001));
  assert.equal(new Set(Array.from({ length: 1_000 }, () => createUuidV7(5))).size, 1_000);
});
