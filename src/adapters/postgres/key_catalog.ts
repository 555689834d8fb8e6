import type { ActiveKey, KeyFinder, KeyRegistry, ListedKey } from "../../keys/ports.ts";
import type { Database } from "./database.ts";

/** API keys in Postgres. */
export function createKeyCatalog(database: Database): KeyFinder & KeyRegistry {
  return {
    async findActive(keySha256) {
      const [key] = await database.read((sql) =>
        sql<ActiveKey[]>`
          select id, encode(key_sha256, 'hex') as "keySha256", tenant, scopes,
            bytes_per_day as "bytesPerDay", concurrent_uploads as "concurrentUploads"
          from api_key
          where key_sha256 = decode(${keySha256}, 'hex') and revoked_at is null
            and (expires_at is null or expires_at > now())`, { name: "key.find" });
      return key ?? null;
    },
    async touch(id) {
      await database.write((sql) =>
        sql`
          update api_key set last_used_at = now()
          where id = ${id}
            and (last_used_at is null or last_used_at <= now() - interval '1 minute')`, {
        name: "key.touch",
        idempotent: true,
      });
    },
    async add(key) {
      await database.write((sql) =>
        sql`
          insert into api_key (id, key_sha256, tenant, scopes, label, bytes_per_day,
            concurrent_uploads, expires_at)
          values (${key.id}, decode(${key.keySha256}, 'hex'), ${key.tenant},
            ${[...key.scopes]}::text[], ${key.label}, ${key.bytesPerDay},
            ${key.concurrentUploads}, ${key.expiresAt})`, { name: "key.add" });
    },
    async list(tenant) {
      const keys = await database.read((sql) =>
        sql<ListedKey[]>`
          select id, tenant, scopes, label, bytes_per_day as "bytesPerDay",
            concurrent_uploads as "concurrentUploads", expires_at as "expiresAt",
            created_at as "createdAt", last_used_at as "lastUsedAt", revoked_at as "revokedAt"
          from api_key where ${tenant}::text is null or tenant = ${tenant}
          order by created_at, id`, { name: "key.list" });
      return [...keys];
    },
    async revoke(id) {
      const rows = await database.write((sql) =>
        sql`
          update api_key set revoked_at = coalesce(revoked_at, now())
          where id = ${id} returning 1`, { name: "key.revoke", idempotent: true });
      return rows.length === 1;
    },
  };
}
