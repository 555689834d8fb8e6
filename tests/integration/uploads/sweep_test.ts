import assert from "node:assert/strict";
import type { ContentHash } from "../../../src/core/content_hash.ts";
import { formatRawKey } from "../../../src/core/object_keys.ts";
import { createUploadSessions } from "../../../src/adapters/postgres/upload_sessions.ts";
import { readKeys, readRows } from "../../support/invariants.ts";
import { frameHeader, jpegOf, segment } from "../../support/image_builder.ts";
import {
  bodyOf,
  MIB,
  openUploadWorld,
  randomFile,
  requestOf,
  sha256Of,
  type UploadWorld,
} from "../../support/upload_world.ts";

interface Stuck {
  readonly state: "UPLOADING" | "VERIFIED";
  readonly bytes: Uint8Array;
  /** What the store has under the key; null is nothing. */
  readonly stored: Uint8Array | null;
  readonly referenced?: boolean;
  readonly leaseMs?: number;
}

/** Leaves a row as a crash does. */
async function leaveStuck(world: UploadWorld, stuck: Stuck): Promise<ContentHash> {
  const hash = sha256Of(stuck.bytes) as ContentHash;
  if (stuck.stored) await world.objects.put(formatRawKey(hash), stuck.stored);
  await world.database.write((sql) =>
    sql`insert into asset_portfolio (content_hash, size_bytes, state, attempt_id, lease_expires_at)
      values (decode(${hash}, 'hex'), ${stuck.bytes.length}, ${stuck.state},
        ${crypto.randomUUID()}, now() + ${stuck.leaseMs ?? -1000} * interval '1 millisecond')`
  );
  const path = stuck.state === "VERIFIED" ? [null, "UPLOADING", "VERIFIED"] : [null, "UPLOADING"];
  for (let i = 1; i < path.length; i++) {
    await world.database.write((sql) =>
      sql`insert into asset_event (content_hash, from_state, to_state, reason, actor, at)
        values (decode(${hash}, 'hex'), ${path[i - 1]}, ${path[i]}, 'test', 'test',
          clock_timestamp())`
    );
  }
  if (stuck.referenced === false) return hash;
  await world.database.write((sql) =>
    sql`insert into asset_reference (id, tenant, content_hash)
      values (${crypto.randomUUID()}, 'acme', decode(${hash}, 'hex'))`
  );
  return hash;
}

Deno.test("Sweep.run() brings a stuck row with", async (t) => {
  await using world = await openUploadWorld();
  const bytes = () => randomFile(5_000);
  const right = bytes();
  const other = bytes();
  const cases: Record<string, Omit<Stuck, "bytes"> & { bytes?: Uint8Array; end: string }> = {
    "its object, unchecked, to READY": {
      state: "UPLOADING",
      bytes: right,
      stored: right,
      end: "READY",
    },
    "no object to FAILED": { state: "UPLOADING", stored: null, end: "FAILED" },
    "an object of another size to FAILED": {
      state: "UPLOADING",
      stored: bytes().subarray(1),
      end: "FAILED",
    },
    "an object of its size with other bytes to FAILED": {
      state: "UPLOADING",
      stored: other,
      end: "FAILED",
    },
    "a checked object that has gone to FAILED": { state: "VERIFIED", stored: null, end: "FAILED" },
    "a live lease nowhere": { state: "UPLOADING", stored: null, leaseMs: 60_000, end: "UPLOADING" },
  };
  for (const [name, { end, ...stuck }] of Object.entries(cases)) {
    await t.step(name, async () => {
      const hash = await leaveStuck(world, { bytes: bytes(), ...stuck });
      const report = await world.sweep.run();
      assert.equal(report.errors, 0);
      const row = (await readRows(world.database)).find((each) => each.hash === hash);
      assert.equal(row?.state, end);
    });
  }
  await t.step("a checked image to READY with its facts", async () => {
    const image = jpegOf(frameHeader(64, 48), segment(0xfe, crypto.randomUUID()));
    const hash = await leaveStuck(world, { state: "VERIFIED", bytes: image, stored: image });
    assert.equal((await world.sweep.run()).ready, 1);
    const asset = await world.ingest.knownToTenant("acme", hash);
    assert.deepEqual([asset?.mediaType, asset?.width, asset?.height], ["image/jpeg", 64, 48]);
  });
  await t.step("an object that nobody refers to, to FAILED", async () => {
    const orphan = bytes();
    await leaveStuck(world, {
      state: "VERIFIED",
      bytes: orphan,
      stored: orphan,
      referenced: false,
    });
    assert.equal((await world.sweep.run()).failed, 1);
  });
  await world.assertInvariants({ beforeSweep: true });
});

Deno.test("Sweep.run() leaves a row alone when the store cannot be asked, and goes on later", async () => {
  await using world = await openUploadWorld();
  const bytes = randomFile(100);
  for (let i = 0; i < 8; i++) {
    await leaveStuck(world, { state: "UPLOADING", bytes: randomFile(100), stored: null });
  }
  await leaveStuck(world, { state: "UPLOADING", bytes, stored: bytes });
  world.faults.break("head", {
    when: "before",
    act() {
      throw new Error("down");
    },
  });
  const report = await world.sweep.run();
  assert.deepEqual([report.ready, report.failed], [0, 0]);
  assert.equal(report.errors, 5, "gives up on a store that is down");
  assert.ok(report.more);
  world.faults.break("head", null);
  await world.expireLeases();
  const later = await world.sweep.run();
  assert.deepEqual([later.ready, later.failed, later.errors], [1, 8, 0]);
  await world.assertInvariants();
});

Deno.test("Sweep.run() works through more than its limit in several runs, beside another sweep", async () => {
  await using world = await openUploadWorld();
  for (let i = 0; i < 12; i++) {
    const bytes = randomFile(50);
    await leaveStuck(world, { state: "UPLOADING", bytes, stored: i % 2 ? bytes : null });
  }
  const dry = await world.sweep.run({ dryRun: true });
  assert.deepEqual([dry.stuck, dry.ready, dry.failed], [12, 0, 0]);
  const first = await world.sweep.run({ limit: 5 });
  assert.deepEqual([first.ready + first.failed, first.more], [5, true]);
  const rest = await Promise.all([world.sweep.run(), world.addInstance().sweep.run()]);
  assert.equal(rest.reduce((sum, { ready, failed }) => sum + ready + failed, 0), 7);
  const rows = await readRows(world.database);
  assert.equal(rows.filter(({ state }) => state === "READY").length, 6);
  await world.assertInvariants();
});

Deno.test("Sweep.run() stops between two rows when its signal aborts", async () => {
  await using world = await openUploadWorld();
  await leaveStuck(world, { state: "UPLOADING", bytes: randomFile(5), stored: null });
  const report = await world.sweep.run({ signal: AbortSignal.abort() });
  assert.deepEqual([report.stuck, report.failed, report.more], [1, 0, true]);
});

Deno.test("Sweep.run() removes staging of dead sessions and of none, but of live ones nothing", async () => {
  await using world = await openUploadWorld();
  const { objects, database } = world;
  const sessions = createUploadSessions(database);
  const open = async (leaseMs: number, expires = "1 day", kind = "stream") => {
    const sessionId = crypto.randomUUID();
    const stagingKey = `staging/${sessionId}`;
    await sessions.open({
      sessionId,
      stagingKey,
      tenant: "acme",
      keyId: "key",
      declaredHash: null,
      declaredSizeBytes: null,
      fileName: null,
      claimedType: null,
      leaseMs,
    });
    await database.write((sql) =>
      sql`update upload_session set kind = ${kind},
        lease_expires_at = case when ${leaseMs} = 0 then null else lease_expires_at end,
        expires_at = now() + ${expires}::interval where id = ${sessionId}`
    );
    await objects.put(stagingKey, randomFile(10));
    await objects.put(`${stagingKey}-sealed`, randomFile(10));
    await objects.createMultipart(stagingKey, { partSizeBytes: 5 * MIB });
    return stagingKey;
  };
  await open(-1_000);
  await open(0, "-1 minute", "tus");
  const kept = [await open(60_000), await open(0, "1 hour", "tus")];
  const stray = `staging/${crypto.randomUUID()}`;
  await objects.put(stray, randomFile(10));

  const report = await world.sweep.run();
  assert.deepEqual([report.deadSessions, report.sessionsRemoved, report.errors], [2, 2, 0]);
  assert.equal(report.straysRemoved, 0, "a young stray may be of an upload that has just begun");
  const expected = [...kept.flatMap((key) => [key, `${key}-sealed`]), stray];
  assert.deepEqual(await readKeys(objects, "staging/"), expected.sort());
  const open2: string[] = [];
  for await (const { key } of objects.listMultipartUploads("staging/")) open2.push(key);
  assert.deepEqual(open2.sort(), kept.sort());
  assert.equal((await world.sweep.run()).sessionsRemoved, 0);

  await objects.createMultipart(stray, { partSizeBytes: 5 * MIB });
  const later = world.addInstance({ strayAgeMs: -1_000 });
  assert.equal((await later.sweep.run()).straysRemoved, 2, "the object and the upload");
  assert.deepEqual(await readKeys(objects, "staging/"), expected.filter((key) => key !== stray));
});

Deno.test("Sweep.run() beside live uploads takes nothing from them", async () => {
  await using world = await openUploadWorld();
  let done = false;
  const sweeping = (async () => {
    while (!done) await world.sweep.run();
  })();
  const files = [...Array.from({ length: 10 }, () => randomFile(1_000)), randomFile(6 * MIB)];
  const results = await Promise.all(
    files.map((bytes) => world.ingest.ingest(bodyOf(bytes), requestOf())),
  );
  done = true;
  await sweeping;
  assert.ok(results.every(({ asset }) => asset.state === "READY"));
  assert.deepEqual(world.reports, []);
  await world.assertInvariants();
});
