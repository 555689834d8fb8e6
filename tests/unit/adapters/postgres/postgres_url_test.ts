import assert from "node:assert/strict";
import { normalizePostgresUrl } from "../../../../src/adapters/postgres/postgres_url.ts";

Deno.test("normalizePostgresUrl() drops the parameters of other clients and keeps the rest", () => {
  const base = "postgres://user:p%40ss@db.example:5432/facet";
  assert.equal(normalizePostgresUrl(base), base);
  assert.equal(
    normalizePostgresUrl(`${base}?sslmode=require&channel_binding=require&pgbouncer=true`),
    `${base}?sslmode=require`,
  );
  assert.equal(normalizePostgresUrl(`${base}?connection_limit=1&schema=public`), base);
  const several = "postgres://a:1,b:2/facet?sslmode=disable";
  assert.equal(normalizePostgresUrl(several), several);
});
