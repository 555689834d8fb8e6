import assert from "node:assert/strict";
import { createReconcileRecords } from "../../../src/adapters/postgres/reconcile_records.ts";
import { runReconcileCommand } from "../../../src/cli/reconcile.ts";
import { openReconcileWorld } from "../../support/reconcile_world.ts";

Deno.test("runReconcileCommand() prints what a run found, did and took, and refuses bad usage", async () => {
  await using world = await openReconcileWorld();
  await world.addRow("gone");
  const lines: string[] = [];
  const run = async (...args: string[]) => {
    lines.length = 0;
    return await runReconcileCommand(args, {
      reconciler: world.create(),
      records: createReconcileRecords(world.database),
      printLine: (text = "") => void lines.push(text),
      printErrorLine: (text) => void lines.push(text),
    });
  };
  assert.equal(await run("--shard", "raw/07/", "--dry-run"), 0);
  assert.match(lines[0], /^run [0-9a-f-]{36} finished in \d+\.\d s \(dry: nothing was changed\)$/);
  assert.match(lines.join("\n"), /^missing +found 1, settled 0$/m);
  assert.equal(await run("--shard", "raw/07/"), 0);
  assert.match(lines[0], /^run [0-9a-f-]{36} finished in \d+\.\d s$/);
  assert.match(lines.join("\n"), /^missing +found 1, settled 1$/m);
  for (const bad of [["--shard", "raw/"], ["--force"]]) {
    assert.equal(await run(...bad), 2);
    assert.match(lines.join("\n"), /^facet: reconcile: [^\n]+\nUsage:/);
  }
});
