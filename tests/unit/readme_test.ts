import assert from "node:assert/strict";
import { readConfig } from "../../src/config.ts";
import { dirname, fromFileUrl, join } from "../support/paths.ts";

const README = join(dirname(fromFileUrl(import.meta.url)), "..", "..", "README.md");

Deno.test("the README explains every variable of the configuration", async () => {
  const text = await Deno.readTextFile(README);
  const missing = readConfig(() => undefined).entries
    .map(({ name }) => name).filter((name) => !text.includes(`\`${name}\``));
  assert.deepEqual(missing, []);
});
