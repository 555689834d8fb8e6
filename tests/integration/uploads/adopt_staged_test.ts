import assert from "node:assert/strict";
import type { ContentHash } from "../../../src/core/content_hash.ts";
import { type ErrorCode, hasCode } from "../../../src/errors.ts";
import type { StagedUpload } from "../../../src/uploads/ports.ts";
import { readRows } from "../../support/invariants.ts";
import {
  MIB,
  openUploadWorld,
  randomFile,
  requestOf,
  sha256Of,
  type UploadWorld,
} from "../../support/upload_world.ts";

/** Leaves bytes in staging under a session, as a resumable or direct upload does. */
async function stage(
  world: UploadWorld,
  bytes: Uint8Array | null,
  more: Partial<StagedUpload> = {},
): Promise<StagedUpload> {
  const sessionId = crypto.randomUUID();
  const stagingKey = `staging/${sessionId}`;
  if (bytes !== null) await world.objects.put(stagingKey, bytes);
  await world.database.write((sql) =>
    sql`insert into upload_session (id, kind, tenant, key_id, staging_key, expires_at)
      values (${sessionId}, 'direct', 'acme', 'key', ${stagingKey}, now() + interval '1 hour')`
  );
  return {
    ...requestOf(),
    sessionId,
    stagingKey,
    sizeBytes: bytes?.length ?? 0,
    clientCanWrite: true,
    ...more,
  };
}

async function readSession(world: UploadWorld, { sessionId }: StagedUpload) {
  const [session] = await world.database.read((sql) =>
    sql<{ state: string; hash: string | null; leased: boolean }[]>`
      select state, encode(declared_hash, 'hex') as hash, lease_expires_at is not null as leased
      from upload_session where id = ${sessionId}`
  );
  return session;
}

Deno.test("Ingest.adoptStaged()", async (t) => {
  await using world = await openUploadWorld({ limits: { maxBytes: 20 * MIB } });

  for (const clientCanWrite of [true, false]) {
    await t.step(`makes an asset of staged bytes (clientCanWrite: ${clientCanWrite})`, async () => {
      const bytes = randomFile(6 * MIB);
      const upload = await stage(world, bytes, { clientCanWrite, fileName: "a/b.bin" });
      const { created, asset } = await world.ingest.adoptStaged(upload);
      assert.equal(created, true);
      assert.equal(asset.contentHash, sha256Of(bytes));
      assert.equal(asset.fileName, "b.bin");
      assert.deepEqual(await readSession(world, upload), {
        state: "done",
        hash: sha256Of(bytes),
        leased: false,
      });
      await world.assertInvariants();
    });
  }

  await t.step("refers to bytes that came another way", async () => {
    const bytes = randomFile(1_000);
    const first = await world.ingest.adoptStaged(await stage(world, bytes));
    const second = await world.ingest.adoptStaged(await stage(world, bytes));
    assert.deepEqual([second.created, second.asset.assetId], [false, first.asset.assetId]);
    await world.assertInvariants();
  });

  await t.step("refuses a second completion, during the first and after it", async () => {
    const upload = await stage(world, randomFile(1_000));
    const outcomes = await Promise.allSettled([
      world.ingest.adoptStaged(upload),
      world.ingest.adoptStaged(upload),
    ]);
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    await assert.rejects(world.ingest.adoptStaged(upload), { code: "state_conflict" });
    await world.assertInvariants();
  });

  await t.step("lets an upload that has not arrived be completed later", async () => {
    const upload = await stage(world, null, { sizeBytes: 10 });
    await assert.rejects(world.ingest.adoptStaged(upload), { code: "asset_not_found" });
    await world.objects.put(upload.stagingKey, randomFile(10));
    assert.equal((await world.ingest.adoptStaged(upload)).asset.sizeBytes, 10);
    await world.assertInvariants();
  });

  const wrong: Record<string, [ErrorCode, Uint8Array, Partial<StagedUpload>]> = {
    "another hash than declared": [
      "digest_mismatch",
      randomFile(100),
      { expectedHash: sha256Of(randomFile(5)) as ContentHash },
    ],
    "another size than declared": ["incomplete_body", randomFile(100), { sizeBytes: 101 }],
    "no bytes": ["empty_body", new Uint8Array(0), {}],
    "more bytes than allowed": ["body_too_large", randomFile(20 * MIB + 1), {}],
  };
  for (const [name, [code, bytes, more]] of Object.entries(wrong)) {
    await t.step(`refuses ${name} for good and keeps nothing`, async () => {
      const rows = (await readRows(world.database)).length;
      const upload = await stage(world, bytes, more);
      await assert.rejects(world.ingest.adoptStaged(upload), (error) => hasCode(error, code));
      assert.equal((await readSession(world, upload)).state, "aborted");
      assert.equal((await readRows(world.database)).length, rows);
      await world.assertInvariants();
    });
  }

  await t.step("stores what it hashed though the client swaps the bytes meanwhile", async () => {
    const bytes = randomFile(1_000);
    const upload = await stage(world, bytes);
    world.faults.plan("get", {
      when: "after",
      act: async () => void await world.objects.put(upload.stagingKey, randomFile(1_000)),
    });
    const { asset } = await world.ingest.adoptStaged(upload);
    assert.equal(asset.contentHash, sha256Of(bytes));
    await world.assertInvariants();
  });

  await t.step("can be tried again after a failure of the store", async () => {
    for (const call of ["head", "get", "copy"] as const) {
      const bytes = randomFile(1_000);
      const upload = await stage(world, bytes);
      world.faults.plan(call, {
        when: "before",
        act() {
          throw new Error("down");
        },
      });
      await assert.rejects(world.ingest.adoptStaged(upload), /down/);
      assert.equal((await readSession(world, upload)).state, "open");
      assert.equal((await world.ingest.adoptStaged(upload)).asset.contentHash, sha256Of(bytes));
      await world.assertInvariants();
    }
  });
});
