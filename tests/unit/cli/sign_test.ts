import assert from "node:assert/strict";
import { runSignCommand } from "../../../src/cli/sign.ts";
import { parseSigningKeys, verifyPath } from "../../../src/core/url_signature.ts";
import { parseVariantPresets } from "../../../src/core/variant_alias.ts";
import { DEFAULT_FORMATS } from "../../../src/core/variant_spec.ts";

const KEYS = parseSigningKeys("new:0123456789abcdef,old:fedcba9876543210");
const HASH = "ab".repeat(32);

function run(...args: string[]) {
  const printed: string[] = [];
  const errors: string[] = [];
  const code = runSignCommand(args, {
    keys: KEYS,
    presets: parseVariantPresets("thumb=100x100/80"),
    formats: DEFAULT_FORMATS,
    printLine: (text) => printed.push(text),
    printErrorLine: (text) => errors.push(text),
    nowSeconds: () => 1_000,
  });
  return { code, printed, errors };
}

Deno.test("runSignCommand() prints a URL that holds", () => {
  for (
    const path of [
      `/${HASH}`,
      `/${HASH}/641x481/77.webp`,
      `/${HASH}/thumb.auto`,
      `/${HASH}/x99/80.auto`,
    ]
  ) {
    const { code, printed } = run(path, "--ttl", "30m", "--origin", "https://img.example.com");
    assert.equal(code, 0, path);
    const url = new URL(printed[0]);
    assert.equal(url.origin, "https://img.example.com");
    const access = verifyPath(url.pathname, url.search.slice(1), { keys: KEYS, nowSeconds: 2_799 });
    assert.deepEqual(access, { keyId: "new", expiresAtSeconds: 3_600 });
  }
  const old = run(`/${HASH}`, "--key", "old", "--ttl", "1d", "--bucket", "1d");
  assert.match(old.printed[0], /\?exp=172800&kid=old&sig=/);
});

Deno.test("runSignCommand() refuses what would never be served, and wrong options", () => {
  const wrong = [
    [],
    ["a", "b"],
    [HASH],
    [`/${HASH}x`],
    [`/${HASH}/641x481/77.gif`],
    [`/${HASH}/0641x481/77.webp`],
    [`/${HASH}/other.webp`],
    [`/${HASH}?a=b`],
    [`/${HASH}`, "--ttl", "soon"],
    [`/${HASH}`, "--key", "gone"],
    [`/${HASH}`, "--nonsense"],
  ];
  for (const args of wrong) {
    const { code, printed, errors } = run(...args);
    assert.equal(code, 2, args.join(" "));
    assert.deepEqual(printed, []);
    assert.match(errors[0], /^facet: sign: .+\nUsage:/);
  }
});
