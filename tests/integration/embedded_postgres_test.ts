/** The embedded Postgres keeps what it confirmed, and its folder to itself. */
import assert from "node:assert/strict";
import {
  EmbeddedPostgresError,
  startEmbeddedPostgres,
} from "../../src/adapters/embedded/pglite.ts";
import { createDatabase } from "../../src/adapters/postgres/database.ts";

const WRITER = new URL("children/embedded_writer.ts", import.meta.url).pathname;
const ROUNDS = 3;

Deno.test("startEmbeddedPostgres() loses nothing it confirmed when its process is killed", async () => {
  const folder = await Deno.makeTempDir({ prefix: "facet-embedded-" });
  try {
    const dataDir = `${folder}/postgres`;
    const confirmed: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      confirmed.push(...await writeAndKill(dataDir, String(round), 15 + 20 * round));
    }
    const embedded = await startEmbeddedPostgres({ dataDir });
    const database = createDatabase({ url: embedded.url, poolSize: 1 });
    const rows = await database.read((sql) =>
      sql<{ name: string | null; key: string | null }[]>`
        select name, key_id as key from job_lease full join api_key_usage on name = key_id`
    );
    await database.close();
    await embedded.close();
    const names = new Set(rows.map((row) => row.name));
    assert.deepEqual(confirmed.filter((name) => !names.has(name)), []);
    assert.deepEqual(rows.filter((row) => row.name !== row.key), [], "half a transaction");
    // At most the one whose confirmation the kill cut off.
    assert.ok(rows.length <= confirmed.length + ROUNDS);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Starts a writer, waits for `count` confirmations, kills it. Returns what it had confirmed. */
async function writeAndKill(dataDir: string, round: string, count: number): Promise<string[]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", WRITER, dataDir, round],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  let killed = false;
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (!killed && text.split("\n").length > count) {
      killed = true;
      child.kill("SIGKILL");
    }
  }
  await child.status;
  assert.ok(killed, "the writer ended by itself");
  return text.split("\n").slice(0, -1);
}

Deno.test("startEmbeddedPostgres() names the folder that another process uses", async () => {
  const folder = await Deno.makeTempDir({ prefix: "facet-embedded-" });
  try {
    const dataDir = `${folder}/postgres`;
    const first = await startEmbeddedPostgres({ dataDir });
    await assert.rejects(
      startEmbeddedPostgres({ dataDir }),
      (error) =>
        error instanceof EmbeddedPostgresError && error.message.includes(dataDir) &&
        error.message.includes("in use"),
    );
    await first.close();
    // The file of the lock is still there, and no obstacle.
    await Deno.stat(`${dataDir}.lock`);
    await (await startEmbeddedPostgres({ dataDir })).close();
    assert.equal((await Deno.stat(dataDir)).mode! & 0o777, 0o700);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
