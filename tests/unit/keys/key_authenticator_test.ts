import assert from "node:assert/strict";
import { createApiKey, hashApiKey, isApiKey } from "../../../src/keys/api_key.ts";
import { createKeyAuthenticator } from "../../../src/keys/key_authenticator.ts";
import type { ActiveKey } from "../../../src/keys/ports.ts";

/** A table of keys that counts what it is asked. */
function createTable(...keys: readonly ActiveKey[]) {
  const table = {
    active: new Map(keys.map((key) => [key.keySha256, key])),
    finds: 0,
    touched: [] as string[],
    down: false,
    async findActive(keySha256: string) {
      table.finds++;
      await Promise.resolve();
      if (table.down) throw new Error("down");
      return table.active.get(keySha256) ?? null;
    },
    touch(id: string) {
      table.touched.push(id);
      return table.down ? Promise.reject(new Error("down")) : Promise.resolve();
    },
  };
  return table;
}

function createKey() {
  const made = createApiKey();
  const active: ActiveKey = {
    id: made.id,
    keySha256: made.keySha256,
    tenant: "acme",
    scopes: ["upload"],
    bytesPerDay: 7,
    concurrentUploads: null,
  };
  return { ...made, active };
}

Deno.test("createApiKey() makes keys that differ and look like keys", () => {
  const [a, b] = [createApiKey(), createApiKey()];
  assert.notEqual(a.key, b.key);
  assert.ok(isApiKey(a.key) && a.key.length === 49);
  assert.equal(a.keySha256, hashApiKey(a.key));
  assert.ok(!a.key.includes(a.id.slice(4)));
});

Deno.test("createKeyAuthenticator() finds the tenant, scopes and limits of a key", async () => {
  const key = createKey();
  const auth = createKeyAuthenticator({ keys: createTable(key.active), now: () => 0 });
  const principal = await auth.authenticate(key.key);
  assert.deepEqual(principal, {
    tenant: "acme",
    keyId: key.id,
    scopes: new Set(["upload"]),
    bytesPerDay: 7,
    concurrentUploads: null,
  });
  assert.equal(await auth.authenticate(createApiKey().key), null);
});

Deno.test("createKeyAuthenticator() takes the admin key without a table, and nothing near it", async () => {
  const table = createTable();
  const auth = createKeyAuthenticator({ keys: table, adminKey: "s3cret-admin", now: () => 0 });
  const principal = await auth.authenticate("s3cret-admin");
  assert.equal(principal?.tenant, "default");
  assert.deepEqual([...principal!.scopes], ["upload", "read", "admin"]);
  for (const wrong of ["s3cret-admim", "s3cret-admi", "s3cret-admin ", "", "undefined"]) {
    assert.equal(await auth.authenticate(wrong), null);
  }
  assert.equal(table.finds, 0, "what is no key of ours is refused without a query");
  const without = createKeyAuthenticator({ keys: table, now: () => 0 });
  assert.equal(await without.authenticate("undefined"), null);
});

Deno.test("createKeyAuthenticator() asks once for many requests, and again after cacheMs", async () => {
  const key = createKey();
  const table = createTable(key.active);
  let now = 0;
  const auth = createKeyAuthenticator({ keys: table, now: () => now, cacheMs: 5_000 });
  await Promise.all(Array.from({ length: 50 }, () => auth.authenticate(key.key)));
  assert.equal(table.finds, 1);
  now = 4_999;
  table.active.clear();
  assert.ok(await auth.authenticate(key.key), "still remembered");
  now = 5_000;
  assert.equal(await auth.authenticate(key.key), null, "a revoked key outlives cacheMs");
  assert.equal(table.finds, 2);
});

Deno.test("createKeyAuthenticator() remembers unknown keys for a shorter time", async () => {
  const key = createKey();
  const table = createTable();
  let now = 0;
  const auth = createKeyAuthenticator({ keys: table, now: () => now, unknownCacheMs: 2_000 });
  assert.equal(await auth.authenticate(key.key), null);
  assert.equal(await auth.authenticate(key.key), null);
  assert.equal(table.finds, 1);
  table.active.set(key.keySha256, key.active);
  now = 2_000;
  assert.ok(await auth.authenticate(key.key));
});

Deno.test("createKeyAuthenticator() remembers at most maxCached keys", async () => {
  const keys = Array.from({ length: 4 }, createKey);
  const table = createTable(...keys.map((key) => key.active));
  const auth = createKeyAuthenticator({ keys: table, now: () => 0, maxCached: 3 });
  for (const { key } of keys) await auth.authenticate(key);
  await auth.authenticate(keys[3].key);
  assert.equal(table.finds, 4);
  await auth.authenticate(keys[0].key);
  assert.equal(table.finds, 5);
});

Deno.test("createKeyAuthenticator() notes the use at most once a minute, and survives a failure", async () => {
  const key = createKey();
  const table = createTable(key.active);
  let now = 0;
  const auth = createKeyAuthenticator({ keys: table, now: () => now, cacheMs: 1_000 });
  for (now = 0; now < 180_000; now += 500) await auth.authenticate(key.key);
  assert.deepEqual(table.touched, [key.id, key.id, key.id]);
});

Deno.test("createKeyAuthenticator() fails while the catalog is down, and asks again at once", async () => {
  const key = createKey();
  const table = createTable(key.active);
  const auth = createKeyAuthenticator({ keys: table, now: () => 0 });
  table.down = true;
  await assert.rejects(auth.authenticate(key.key), /down/);
  table.down = false;
  assert.ok(await auth.authenticate(key.key));
});
