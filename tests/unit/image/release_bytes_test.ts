import assert from "node:assert/strict";
import { releaseBytes } from "../../../src/image/release_bytes.ts";

Deno.test("releaseBytes() empties a buffer at once, and does nothing the second time", () => {
  const bytes = new Uint8Array(1000);
  releaseBytes(bytes);
  assert.equal(bytes.length, 0);
  releaseBytes(bytes);
});
