import assert from "node:assert/strict";
import { readConfig } from "../../src/config.ts";

function readConnections(env: Readonly<Record<string, string>>) {
  const result = readConfig((name) => env[name]);
  return result.ok ? result.config.http.connections : result.problems;
}

Deno.test("readConnectionLimits() limits connections unless HEADER_TIMEOUT is zero", () => {
  assert.deepEqual(readConnections({}), {
    headerTimeoutMs: 15_000,
    idleTimeoutMs: 75_000,
    maxConnections: 2_048,
  });
  assert.deepEqual(
    readConnections({ HEADER_TIMEOUT: "5s", IDLE_TIMEOUT: "10m", MAX_CONNECTIONS: "9" }),
    { headerTimeoutMs: 5_000, idleTimeoutMs: 600_000, maxConnections: 9 },
  );
  assert.equal(readConnections({ HEADER_TIMEOUT: "0s" }), null);
  assert.ok(Array.isArray(readConnections({ MAX_CONNECTIONS: "0" })));
});

Deno.test("readConnectionLimits() leaves connections to Deno Deploy, whose proxy is the client there", () => {
  const deploy = {
    DENO_DEPLOYMENT_ID: "d",
    DATABASE_URL: "postgres://u:p@h/d",
    S3_ENDPOINT: "https://s3.example.com",
    S3_BUCKET: "b",
    S3_REGION: "auto",
    S3_ACCESS_KEY_ID: "i",
    S3_SECRET_ACCESS_KEY: "s",
    FACET_ADMIN_KEY: "an-admin-key-for-tests-of-config",
  };
  assert.equal(readConnections(deploy), null);
  assert.notEqual(readConnections({ ...deploy, HEADER_TIMEOUT: "15s" }), null);
});
