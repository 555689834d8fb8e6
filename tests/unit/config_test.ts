import assert from "node:assert/strict";
import { type ConfigResult, readConfig } from "../../src/config.ts";
import { formatConfigEntries } from "../../src/cli/config.ts";

const PRODUCTION = {
  FACET_ENV: "production",
  DATABASE_URL: "postgres://facet:hush@db.internal/facet",
  S3_ENDPOINT: "https://s3.example.com/",
  S3_BUCKET: "assets",
  S3_ACCESS_KEY_ID: "AKIA",
  S3_SECRET_ACCESS_KEY: "hush-hush",
};

function read(variables: Record<string, string>): ConfigResult {
  return readConfig((name) => variables[name]);
}

function expectConfig(variables: Record<string, string>) {
  const result = read(variables);
  assert.ok(result.ok, result.ok ? "" : result.problems.join("; "));
  return result.config;
}

function expectProblems(variables: Record<string, string>): readonly string[] {
  const result = read(variables);
  assert.ok(!result.ok);
  return result.problems;
}

Deno.test("readConfig() needs no variable in development and keeps everything in .data", () => {
  const config = expectConfig({});
  assert.equal(config.environment, "development");
  assert.deepEqual(
    config.database.kind === "embedded" && config.database.dataDir,
    ".data/postgres",
  );
  assert.deepEqual(config.storage.kind === "disk" && config.storage.root, ".data/objects");
  assert.deepEqual(config.kv, { kind: "local", path: ".data/kv.sqlite3" });
});

Deno.test("readConfig() reports every problem at once", () => {
  const problems = expectProblems({
    PORT: "eighty",
    RENDER_TIMEOUT: "soon",
    MEMORY_CACHE_SIZE: "-1",
    VARIANT_WIDTHS: "320,5",
    VARIANT_FORMATS: "webp,bmp",
    ACCESS_LOG: "maybe",
    FACET_ADMIN_KEY: "short",
  });
  assert.equal(problems.length, 7);
  assert.match(problems.join("\n"), /^PORT must be a whole number \(it is "eighty"\)$/m);
});

Deno.test("readConfig() takes only database URLs that the driver can read, and shows none", () => {
  const good = [
    "postgres://u:p%40ss@db.example:5432/app?sslmode=require",
    "postgresql://a.example,b.example/app",
  ];
  for (const DATABASE_URL of good) expectConfig({ DATABASE_URL });
  for (const bad of ["db.example/app", "postgres://", "postgres://u:100%@db/app", "mysql://db/a"]) {
    for (const name of ["DATABASE_URL", "DATABASE_REPLICA_URL"]) {
      assert.deepEqual(expectProblems({ [name]: bad }), [
        `${name} must be like postgres://user:password@host:5432/database`,
      ]);
    }
  }
});

Deno.test("readConfig() refuses embedded parts in production and names what is missing", () => {
  const problems = expectProblems({ FACET_ENV: "production" });
  assert.match(problems.join("\n"), /DATABASE_URL/);
  assert.match(problems.join("\n"), /S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID/);
});

Deno.test("readConfig() takes Deno Deploy for production, whatever FACET_ENV says", () => {
  const problems = expectProblems({ DENO_DEPLOYMENT_ID: "x1", FACET_ENV: "development" });
  assert.match(problems.join("\n"), /DATABASE_URL/);
});

Deno.test("readConfig() refuses a development key in production", () => {
  const problems = expectProblems({ ...PRODUCTION, FACET_ADMIN_KEY: "facet_dev_0123456789abcdef" });
  assert.deepEqual(problems.length, 1);
  assert.match(problems[0], /FACET_ADMIN_KEY/);
});

Deno.test("readConfig() names the S3 variables that are missing when some are set", () => {
  const problems = expectProblems({ S3_ENDPOINT: "https://s3.example.com", S3_BUCKET: "assets" });
  assert.deepEqual(problems, [
    "S3_ACCESS_KEY_ID is missing, while other S3 variables are set",
    "S3_SECRET_ACCESS_KEY is missing, while other S3 variables are set",
  ]);
});

Deno.test("readConfig() accepts the R2 names", () => {
  const { storage } = expectConfig({
    CF_R2_ENDPOINT: "https://account.r2.cloudflarestorage.com",
    CF_R2_BUCKET: "assets",
    CF_R2_ACCESS_KEY: "id",
    CF_R2_SECRET_KEY: "secret",
  });
  assert.ok(storage.kind === "s3");
  assert.equal(storage.bucket, "assets");
  assert.equal(storage.region, "auto");
});

Deno.test("readConfig() builds the database URL from the PG variables", () => {
  const { database } = expectConfig({ PGHOST: "db", PGUSER: "me", PGPASSWORD: "p@ss/word" });
  assert.ok(database.kind === "postgres");
  assert.equal(database.url, "postgres://me:p%40ss%2Fword@db:5432/postgres");
});

Deno.test("readConfig() runs without KV in production unless one is named", () => {
  assert.deepEqual(expectConfig(PRODUCTION).kv, { kind: "none" });
  assert.deepEqual(expectConfig({ ...PRODUCTION, DENO_DEPLOYMENT_ID: "x" }).kv, {
    kind: "platform",
  });
  assert.deepEqual(
    expectConfig({ ...PRODUCTION, DENO_KV_URL: "https://kv", DENO_KV_ACCESS_TOKEN: "t" }).kv,
    { kind: "remote", url: "https://kv", accessToken: "t" },
  );
});

Deno.test("readConfig() understands sizes and durations with units", () => {
  const { upload, render } = expectConfig({
    MAX_UPLOAD_SIZE: "25 MB",
    RENDER_TIMEOUT: "1500ms",
    UPLOAD_IDLE_TIMEOUT: "2m",
  });
  assert.deepEqual([upload.maxBytes, render.timeLimitMs, upload.idleTimeoutMs], [
    25_000_000,
    1_500,
    120_000,
  ]);
});

Deno.test("formatConfigEntries() shows every variable and masks every secret", () => {
  const result = read({ ...PRODUCTION, FACET_ADMIN_KEY: "a-very-secret-admin-key" });
  const text = formatConfigEntries(result.entries);
  assert.match(text, /^S3_BUCKET +assets$/m);
  assert.match(text, /^RENDER_MEMORY +256MiB {2}\(default\)$/m);
  for (const secret of ["hush", "AKIA", "very-secret"]) assert.ok(!text.includes(secret), secret);
});
