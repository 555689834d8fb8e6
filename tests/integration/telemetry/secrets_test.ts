/** What the service prints when everything it depends on fails: no secret is in it. */
import assert from "node:assert/strict";
import { findFreePort } from "../../support/postgres_cluster.ts";
import { runToEnd, startService } from "../../support/service_process.ts";

const SECRETS = {
  adminKey: "facet-admin-key-never-to-be-logged",
  databasePassword: "database-password-never-to-be-logged",
  s3Secret: "s3-secret-never-to-be-logged",
  signingSecret: "signing-secret-never-to-be-logged-0123456789",
  wrongKey: "facet_wrong-key-never-to-be-logged",
  signature: "c2lnbmF0dXJlLW5ldmVyLXRvLWJlLWxvZ2dlZA",
};

function buildEnv(): Record<string, string> {
  const nowhere = findFreePort();
  return {
    FACET_ENV: "production",
    FACET_HOST: "127.0.0.1",
    LOG_LEVEL: "debug",
    DATABASE_URL: `postgres://facet:${SECRETS.databasePassword}@127.0.0.1:${nowhere}/facet`,
    DATABASE_CONNECT_TIMEOUT: "1s",
    S3_ENDPOINT: `http://127.0.0.1:${nowhere}`,
    S3_BUCKET: "facet",
    S3_REGION: "us-east-1",
    S3_ACCESS_KEY_ID: "access-key-id",
    S3_SECRET_ACCESS_KEY: SECRETS.s3Secret,
    DENO_KV_URL: "none",
    FACET_ADMIN_KEY: SECRETS.adminKey,
    FACET_SIGNING_KEYS: `a:${SECRETS.signingSecret}`,
  };
}

function checkSilence(output: string): void {
  for (const [name, secret] of Object.entries(SECRETS)) {
    assert.ok(!output.includes(secret), `${name} was printed:\n${output}`);
    assert.ok(!output.includes(btoa(secret)), `${name} was printed in base64:\n${output}`);
  }
}

Deno.test("the log names no key, signature or password when every dependency fails", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "facet-secrets-" });
  try {
    await using service = await startService({ command: "serve", dataDir, env: buildEnv() });
    const { origin } = service;
    const hash = "ab".repeat(32);
    const statuses: number[] = [];
    const ask = async (path: string, init: RequestInit = {}) => {
      const response = await fetch(origin + path, init);
      await response.bytes();
      statuses.push(response.status);
    };
    const authorization = `Bearer ${SECRETS.adminKey}`;
    await ask("/v1/assets", { method: "POST", headers: { authorization }, body: "some bytes" });
    await ask("/v1/assets", { headers: { authorization: `Bearer ${SECRETS.wrongKey}` } });
    await ask(`/${hash}/320x240/80.webp?kid=a&exp=4000000000&sig=${SECRETS.signature}`);
    await ask(`/${hash}/640x480/80.webp`);
    await ask("/v1/assets", {
      headers: { authorization: `Basic ${btoa("u:" + SECRETS.wrongKey)}` },
    });
    await ask("/readyz");
    await service.stop("SIGTERM");
    const output = service.output();
    // It did say something: an access-log line for each request.
    assert.equal(output.match(/"message":"request"/g)?.length, statuses.length, output);
    assert.ok(statuses.includes(503), `nothing failed: ${statuses}`);
    checkSilence(output);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("commands that fail name no secret either", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "facet-secrets-" });
  try {
    for (const command of ["config", "migrate", "keys list", "reconcile"]) {
      const { output } = await runToEnd({ command, dataDir, env: buildEnv() });
      assert.notEqual(output, "", command);
      checkSilence(output);
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});
