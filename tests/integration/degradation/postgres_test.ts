/** Postgres down, slow, read-only and exhausted, under a running service. */
import assert from "node:assert/strict";
import postgres from "postgres";
import {
  assertRefused,
  assertWarm,
  type DegradationWorld,
  withDegradation,
} from "../../support/degradation_world.ts";

const UNKNOWN = `/${"ab".repeat(32)}/320x240/80.webp`;

/** What holds while the catalog cannot be asked. */
async function assertWithoutCatalog(world: DegradationWorld): Promise<void> {
  await assertWarm(world);
  assertRefused(await world.get(UNKNOWN));
  assertRefused(await world.upload());
  const { status, down } = await world.readiness();
  assert.equal(status, 503);
  assert.deepEqual(down, ["catalog down"]);
  await assertWarm(world);
}

/** Runs statements as the superuser, past the proxy. */
async function withSuperuser(
  { cluster }: DegradationWorld,
  work: (sql: postgres.Sql) => Promise<void>,
): Promise<void> {
  const sql = postgres(cluster.url, { max: 1, onnotice: () => {} });
  try {
    await work(sql);
  } finally {
    await sql.end();
  }
}

Deno.test("without Postgres what is cached is served and the rest is 503, until it is back", async () => {
  await withDegradation(async (world) => {
    await world.cluster.stop("immediate");
    await assertWithoutCatalog(world);
    await world.cluster.start();
    await world.expectRecovery();
  });
});

Deno.test("with a Postgres that never answers the same holds, in bounded time", async () => {
  await withDegradation(async (world) => {
    world.postgres.setMode("silent");
    await assertWithoutCatalog(world);
    world.postgres.setMode("pass");
    await world.expectRecovery();
  });
});

Deno.test("with all connections stuck the same holds, and those who wait are told to come again", async () => {
  await withDegradation(async (world) => {
    await withSuperuser(world, async (sql) => {
      await sql.begin(async (transaction) => {
        await transaction`lock table asset_portfolio, asset_reference in access exclusive mode`;
        const stuck = Array.from({ length: 20 }, () => world.upload());
        await assertWarm(world);
        for (const reply of await Promise.all(stuck)) assertRefused(reply);
        await assertWarm(world);
      });
    });
    await world.expectRecovery();
  });
});

Deno.test("with a read-only Postgres variants are made, uploads are 503, and readiness says why", async () => {
  await withDegradation(async (world) => {
    const setReadOnly = (value: "on" | "off") =>
      withSuperuser(world, async (sql) => {
        await sql.unsafe("set default_transaction_read_only = off");
        await sql.unsafe(`alter system set default_transaction_read_only = ${value}`);
        await sql`select pg_reload_conf()`;
        await new Promise((resolve) => setTimeout(resolve, 300));
      });
    await setReadOnly("on");
    await assertWarm(world);
    assert.equal((await world.get(world.nextColdPath())).status, 200);
    assert.equal((await world.get(UNKNOWN)).status, 404);
    assertRefused(await world.upload());
    const { status, down } = await world.readiness();
    assert.equal(status, 200);
    assert.deepEqual(down, ["catalog degraded"]);
    await setReadOnly("off");
    await world.expectRecovery();
  });
});
