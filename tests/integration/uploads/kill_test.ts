/**
 * Uploads of a process that is killed with SIGKILL, at each step of the machine and at random
 * instants; then the sweep of another process, then the client's retry.
 */
import assert from "node:assert/strict";
import { createDiskObjectStore } from "../../../src/adapters/disk/disk_object_store.ts";
import type { IngestStep } from "../../../src/uploads/ports.ts";
import { pause } from "../../../src/uploads/catalog_retry.ts";
import { assertInvariants } from "../../support/invariants.ts";
import { startPostgresCluster } from "../../support/postgres_cluster.ts";
import { openOnServer } from "../../support/test_database.ts";
import type { HarnessSettings } from "../../support/upload_harness.ts";
import {
  bodyOf,
  createUploadInstance,
  expireLeases,
  MIB,
  randomFile,
  requestOf,
  sha256Of,
} from "../../support/upload_world.ts";

const SHORT_STEPS: IngestStep[] = [
  "body_received",
  "claimed",
  "object_stored",
  "object_checked",
  "verified",
  "facts_read",
  "ready",
];

const LONG_STEPS: IngestStep[] = [
  "session_opened",
  "part_written",
  "claimed",
  "staging_completed",
  "object_stored",
  "verified",
  "ready",
  "staging_removed",
];

const ADOPT_STEPS: IngestStep[] = [
  "sealed",
  "body_received",
  "object_stored",
  "ready",
  "session_done",
  "staging_removed",
];

const HARNESS = new URL("../../support/upload_harness.ts", import.meta.url);

/** A PostgreSQL server: PGlite is one session, so a killed client would stay in its transaction. */
async function openServer() {
  const url = Deno.env.get("TEST_DATABASE_URL");
  if (url) return { url, close: () => Promise.resolve() };
  return await startPostgresCluster();
}

Deno.test("an upload that is killed with SIGKILL keeps every promise", async (t) => {
  const server = await openServer();
  if (server === null) return;
  const testDatabase = await openOnServer(server.url);
  const { database } = testDatabase;
  const root = await Deno.makeTempDir({ prefix: "facet-kill-" });
  const objects = createDiskObjectStore({ root: `${root}/objects` });
  const survivor = createUploadInstance(database, { objects });
  const file = `${root}/body`;
  const settings = { databaseUrl: testDatabase.url, root: `${root}/objects`, file };

  /** What must hold after the death of an upload of `bytes`, whenever it came. */
  async function checkAfterwards(bytes: Uint8Array): Promise<void> {
    const hash = sha256Of(bytes);
    const readOnly = [hash];
    await assertInvariants({ database, objects }, { beforeSweep: true, readOnly });
    await expireLeases(database);
    const report = await survivor.sweep.run();
    assert.deepEqual([report.errors, survivor.reports], [0, []]);
    await assertInvariants({ database, objects }, { readOnly });
    const again = await survivor.ingest.ingest(bodyOf(bytes), requestOf());
    assert.deepEqual([again.asset.contentHash, again.asset.state], [hash, "READY"]);
    await assertInvariants({ database, objects }, {
      readOnly,
      acknowledged: [{ tenant: "acme", hash }],
    });
  }

  for (const [sizeBytes, steps] of [[100_000, SHORT_STEPS], [11 * MIB, LONG_STEPS]] as const) {
    for (const killAt of steps) {
      await t.step(`at "${killAt}" of ${sizeBytes} bytes`, async () => {
        const bytes = randomFile(sizeBytes);
        await Deno.writeFile(file, bytes);
        const child = startHarness({ ...settings, killAt });
        assert.equal((await child.status).signal, "SIGKILL");
        await checkAfterwards(bytes);
      });
    }
  }

  for (const killAt of ADOPT_STEPS) {
    await t.step(`at "${killAt}" of an adoption`, async () => {
      const bytes = randomFile(100_000);
      const sessionId = crypto.randomUUID();
      await objects.put(`staging/${sessionId}`, bytes);
      await database.write((sql) =>
        sql`insert into upload_session (id, kind, tenant, key_id, staging_key, expires_at) values
          (${sessionId}, 'direct', 'acme', 'key', ${`staging/${sessionId}`}, now() + interval '1 day')`
      );
      const adopt = { sessionId, sizeBytes: bytes.length };
      const child = startHarness({ ...settings, killAt, adopt });
      assert.equal((await child.status).signal, "SIGKILL");
      await expireLeases(database);
      const ended = killAt === "session_done" || killAt === "staging_removed";
      if (!ended) {
        const request = { ...requestOf(), ...adopt, stagingKey: `staging/${sessionId}` };
        const { asset } = await survivor.ingest.adoptStaged({ ...request, clientCanWrite: true });
        assert.equal(asset.contentHash, sha256Of(bytes), "the client completes it again");
      }
      await checkAfterwards(bytes);
    });
  }

  await t.step("nor does it when several processes send the same bytes at once", async () => {
    const bytes = randomFile(6 * MIB);
    await Deno.writeFile(file, bytes);
    const killAts = [null, "claimed", null, "verified", null] as const;
    const children = killAts.map((killAt) => startHarness({ ...settings, killAt }));
    for (const [i, child] of children.entries()) {
      const { success, signal } = await child.status;
      assert.ok(success || (killAts[i] !== null && signal === "SIGKILL"));
    }
    await checkAfterwards(bytes);
  });

  const rounds = Number(Deno.env.get("FACET_KILL_ROUNDS") ?? 6);
  for (let round = 1; round <= rounds; round++) {
    await t.step(`at a random instant (${round} of ${rounds})`, async () => {
      const bytes = randomFile(round % 2 ? 16 * MIB : 400_000);
      await Deno.writeFile(file, bytes);
      const child = startHarness({ ...settings, killAt: null });
      await pause(Math.random() * 350 + 90);
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended before: as good an instant as any.
      }
      await child.status;
      await checkAfterwards(bytes);
    });
  }

  await testDatabase.close();
  await server.close();
  await Deno.remove(root, { recursive: true });
});

function startHarness(settings: HarnessSettings): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", HARNESS.href, JSON.stringify(settings)],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
}
