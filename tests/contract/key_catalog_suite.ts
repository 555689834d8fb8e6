/** What the table of keys and their usage has to do, on every database. */
import assert from "node:assert/strict";
import { createKeyCatalog } from "../../src/adapters/postgres/key_catalog.ts";
import { createUploadQuota } from "../../src/adapters/postgres/upload_quota.ts";
import { createApiKey } from "../../src/keys/api_key.ts";
import type { KeyGrant } from "../../src/keys/ports.ts";
import type { TestDatabase } from "../support/test_database.ts";

const GRANT: KeyGrant = {
  tenant: "acme",
  scopes: ["upload", "read"],
  label: 'quotes " and \\ and {braces}',
  bytesPerDay: 2 ** 40,
  concurrentUploads: 3,
  expiresAt: null,
};

/** Registers the suite. `open` makes a fresh, migrated database. */
export function testKeyCatalog(name: string, open: () => Promise<TestDatabase>): void {
  Deno.test(`createKeyCatalog() on ${name}`, async (t) => {
    const opened = await open();
    const { database } = opened;
    const keys = createKeyCatalog(database);
    const made = createApiKey();
    try {
      await t.step("finds an active key by its hash, and stores no key", async () => {
        await keys.add({ ...GRANT, id: made.id, keySha256: made.keySha256 });
        const { label: _label, expiresAt: _expiresAt, ...grant } = GRANT;
        assert.deepEqual({ ...await keys.findActive(made.keySha256) }, {
          ...grant,
          id: made.id,
          keySha256: made.keySha256,
        });
        assert.equal(await keys.findActive("00".repeat(32)), null);
        const [{ row }] = await database.read((sql) =>
          sql`select api_key::text as row from api_key`
        );
        assert.ok(!row.includes(made.key) && !row.includes(made.key.slice(6)));
      });

      await t.step("does not find an expired key", async () => {
        const expired = createApiKey();
        await keys.add({
          ...GRANT,
          id: expired.id,
          keySha256: expired.keySha256,
          expiresAt: new Date(Date.now() - 1),
        });
        assert.equal(await keys.findActive(expired.keySha256), null);
      });

      await t.step("notes the use of a key at most once a minute", async () => {
        const lastUse = async () => (await keys.list(null))[0].lastUsedAt;
        assert.equal(await lastUse(), null);
        await keys.touch(made.id);
        const first = await lastUse();
        assert.ok(first);
        await keys.touch(made.id);
        assert.deepEqual(await lastUse(), first);
        await database.write((sql) =>
          sql`update api_key set last_used_at = last_used_at - interval '61 seconds'`
        );
        await keys.touch(made.id);
        assert.ok((await lastUse())! >= first);
      });

      await t.step("lists keys, of one tenant where asked", async () => {
        assert.equal((await keys.list("acme")).length, 2);
        assert.deepEqual(await keys.list("' or 1=1 --"), []);
        const [first] = await keys.list(null);
        assert.equal(first.label, GRANT.label);
        assert.deepEqual(first.scopes, GRANT.scopes);
      });

      await t.step("revokes a key at once and for good", async () => {
        assert.equal(await keys.revoke(made.id), true);
        const [{ revokedAt }] = await keys.list(null);
        assert.equal(await keys.revoke(made.id), true);
        assert.deepEqual((await keys.list(null))[0].revokedAt, revokedAt);
        assert.equal(await keys.findActive(made.keySha256), null);
        assert.equal(await keys.revoke("key_none"), false);
      });

      await t.step("createUploadQuota() never lets a day's bytes exceed the limit", async () => {
        const quota = createUploadQuota(database);
        const grants = await Promise.all(
          Array.from({ length: 20 }, () => quota.reserve("k", 10, 95)),
        );
        assert.equal(grants.filter(Boolean).length, 9);
        assert.equal(await quota.reserve("k", 5, 95), true);
        assert.equal(await quota.reserve("k", 1, 95), false);
        assert.equal(await quota.reserve("k", 0, 95), true);
        await quota.refund("k", 20);
        assert.equal(await quota.reserve("k", 20, 95), true);
        await quota.refund("k", 1_000_000);
        assert.equal(await quota.reserve("k", 95, 95), true);
        assert.equal(await quota.reserve("fresh", 96, 95), false);
        assert.equal(await quota.reserve("fresh", 95, 95), true);
      });
    } finally {
      await opened.close();
    }
  });
}
