import assert from "node:assert/strict";
import { type MigrateCommandDeps, runMigrateCommand } from "../../../src/cli/migrate.ts";
import { AppError } from "../../../src/errors.ts";

async function run(migrate: MigrateCommandDeps["migrate"]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runMigrateCommand({
    migrate,
    printLine: (text) => out.push(text),
    printErrorLine: (text) => err.push(text),
  });
  return { code, out, err };
}

Deno.test("runMigrateCommand() names what it applied and what it does not know", async () => {
  const { code, out } = await run(() =>
    Promise.resolve({ applied: ["0002_b"], alreadyApplied: ["0001_a"], unknown: ["0003_c"] })
  );
  assert.equal(code, 0);
  assert.deepEqual(out, [
    "applied 0002_b",
    "left alone 0003_c: applied by a newer version of the service",
    "the database is up to date: 1 applied, 1 before",
  ]);
});

Deno.test("runMigrateCommand() prints one line and fails when the database is not there", async () => {
  const cause = new Error("connect ECONNREFUSED 127.0.0.1:1");
  const { code, err } = await run(() =>
    Promise.reject(new AppError("catalog_unavailable", "The catalog cannot be reached", { cause }))
  );
  assert.equal(code, 1);
  assert.deepEqual(err, [
    "facet: The catalog cannot be reached (connect ECONNREFUSED 127.0.0.1:1)",
  ]);
});

Deno.test("runMigrateCommand() does not hide a bug", async () => {
  await assert.rejects(run(() => Promise.reject(new TypeError("bug"))), /bug/);
});
