import assert from "node:assert/strict";

/** Far beyond what a loaded machine needs, so that only what never happens fails. Milliseconds. */
const PATIENCE_MS = 30_000;

/** Waits until a condition holds, looking every 10 ms. @throws {AssertionError} After 30 s. */
export async function waitUntil(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!await condition()) {
    assert.ok(Date.now() < deadline, `waited in vain for ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
