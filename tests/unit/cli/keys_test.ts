import assert from "node:assert/strict";
import { runKeysCommand } from "../../../src/cli/keys.ts";
import { hashApiKey } from "../../../src/keys/api_key.ts";
import type { KeyRegistry, ListedKey } from "../../../src/keys/ports.ts";

const NOW = new Date("2026-06-01T12:00:00Z");

function createTerminal(listed: ListedKey[] = []) {
  const added: Parameters<KeyRegistry["add"]>[0][] = [];
  const out: string[] = [];
  const err: string[] = [];
  const keys: KeyRegistry = {
    add: (key) => Promise.resolve(void added.push(key)),
    list: (tenant) => Promise.resolve(listed.filter((key) => !tenant || key.tenant === tenant)),
    revoke: (id) => Promise.resolve(id === "key_1"),
  };
  const run = (...args: string[]) =>
    runKeysCommand(args, {
      keys,
      printLine: (text) => out.push(text),
      printErrorLine: (text) => err.push(text),
      now: () => NOW,
    });
  return { added, out, err, run };
}

Deno.test("runKeysCommand() add prints the key alone on standard output, and stores its hash", async () => {
  const { added, out, run } = createTerminal();
  const code = await run(
    "add",
    "--scopes=upload,read",
    "--tenant=acme",
    "--label=ci",
    "--expires=30d",
    "--bytes-per-day=10GiB",
    "--concurrent-uploads=4",
  );
  assert.equal(code, 0);
  assert.equal(out.length, 1);
  const { id, keySha256, ...grant } = added[0];
  assert.equal(keySha256, hashApiKey(out[0]));
  assert.match(id, /^key_[0-9a-f]{12}$/);
  assert.deepEqual(grant, {
    tenant: "acme",
    scopes: ["upload", "read"],
    label: "ci",
    expiresAt: new Date("2026-07-01T12:00:00Z"),
    bytesPerDay: 10 * 2 ** 30,
    concurrentUploads: 4,
  });
});

for (
  const args of [
    [],
    ["frobnicate"],
    ["add"],
    ["add", "--scopes=upload,fly"],
    ["add", "--scopes=read", "--tenant=a b"],
    ["add", "--scopes=read", "--expires=2020-01-01"],
    ["add", "--scopes=read", "--expires=soon"],
    ["add", "--scopes=read", "--bytes-per-day=0"],
    ["add", "--scopes=read", "--bytes-per-day=1GB"],
    ["add", "--scopes=read", "--concurrent-uploads=-1"],
    ["add", "--unknown"],
    ["revoke"],
    ["revoke", "a", "b"],
  ]
) {
  Deno.test(`runKeysCommand() explains itself when called as: keys ${args.join(" ")}`, async () => {
    const { added, out, err, run } = createTerminal();
    assert.equal(await run(...args), 2);
    assert.deepEqual(added, []);
    assert.deepEqual(out, []);
    assert.match(err[0], /^facet: keys: .+\nUsage:/);
  });
}

Deno.test("runKeysCommand() list shows no secrets, and one line per key whatever its label", async () => {
  const key: ListedKey = {
    id: "key_1",
    tenant: "acme",
    scopes: ["read"],
    label: "a\nkey_2\tactive",
    bytesPerDay: null,
    concurrentUploads: null,
    createdAt: new Date("2026-01-01T00:00:00Z"),
    lastUsedAt: null,
    expiresAt: new Date("2026-02-01T00:00:00Z"),
    revokedAt: null,
  };
  const { out, run } = createTerminal([key, { ...key, id: "key_3", tenant: "other" }]);
  assert.equal(await run("list", "--tenant", "acme"), 0);
  assert.equal(out.length, 1);
  assert.ok(!out[0].includes("\n"));
  assert.match(out[0], /^key_1\texpired 2026-02-01T00:00Z\ttenant=acme\tscopes=read\t/);
});

Deno.test("runKeysCommand() revoke tells whether there was such a key", async () => {
  const { out, err, run } = createTerminal();
  assert.equal(await run("revoke", "key_1"), 0);
  assert.deepEqual(out, ["revoked key_1"]);
  assert.equal(await run("revoke", "key_9"), 1);
  assert.deepEqual(err, ["facet: there is no key key_9"]);
});
