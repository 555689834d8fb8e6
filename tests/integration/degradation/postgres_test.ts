/** Postgres down, slow, silent, read-only and exhausted, under running services. */
import assert from "node:assert/strict";
import postgres from "postgres";
import {
  assertRefused,
  assertWarm,
  BOUND_MS,
  type DegradationWorld,
  withDegradation,
} from "../../support/degradation_world.ts";
import type { ServiceProcess } from "../../support/service_process.ts";

/** A variant of nothing. Always another one: what is unknown is remembered for seconds. */
function unknownPath(): string {
  return `/${crypto.randomUUID().replaceAll("-", "").repeat(2)}/320x240/80.webp`;
}

/** Longer than any statement may take. Milliseconds. */
const SLOW_MS = 3_000;

/** What holds while the catalog cannot be asked. */
async function assertWithoutCatalog(world: DegradationWorld): Promise<void> {
  await assertWarm(world);
  assertRefused(await world.get(unknownPath()));
  assertRefused(await world.upload());
  const { status, down } = await world.readiness();
  assert.equal(status, 503);
  assert.deepEqual(down, ["catalog down"]);
  await assertWarm(world);
}

/** What only the shared cache holds is delivered by an instance that cannot ask the catalog. */
async function assertShared(
  world: DegradationWorld,
  instance: ServiceProcess,
  path: string,
): Promise<void> {
  const first = await world.ask(instance, path);
  assert.deepEqual([first.status, first.cache], [200, "KV"], first.text);
  assert.ok(first.tookMs < BOUND_MS, `it took ${first.tookMs.toFixed(0)} ms`);
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

async function setReadOnly(world: DegradationWorld, value: "on" | "off"): Promise<void> {
  await withSuperuser(world, async (sql) => {
    await sql.unsafe("set default_transaction_read_only = off");
    await sql.unsafe(`alter system set default_transaction_read_only = ${value}`);
    await sql`select pg_reload_conf()`;
    await new Promise((resolve) => setTimeout(resolve, 300));
  });
}

Deno.test("whatever is wrong with Postgres, what is cached is served and the rest is 503 until it is well", async (t) => {
  await withDegradation(async (world) => {
    const others = [world.nextColdPath(), world.nextColdPath()];
    for (const path of others) assert.equal((await world.get(path)).status, 200);
    await world.expectShared(1 + others.length);
    await using another = await world.startAnother();

    await t.step("slow: no statement ends in time", async () => {
      world.postgres.setDelay(SLOW_MS);
      await assertShared(world, another, others[0]);
      await assertWithoutCatalog(world);
      world.postgres.setDelay(0);
      await world.expectRecovery();
    });

    await t.step("silent: it accepts connections and never answers", async () => {
      world.postgres.setMode("silent");
      await assertWithoutCatalog(world);
      world.postgres.setMode("pass");
      await world.expectRecovery();
    });

    await t.step(
      "exhausted: all connections are stuck, and who waits is told to come again",
      async () => {
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
      },
    );

    await t.step(
      "read-only: variants are made, uploads are 503, and readiness says why",
      async () => {
        await setReadOnly(world, "on");
        await assertWarm(world);
        assert.equal((await world.get(world.nextColdPath())).status, 200);
        assert.equal((await world.get(unknownPath())).status, 404);
        assertRefused(await world.upload());
        const { status, down } = await world.readiness();
        assert.equal(status, 200);
        assert.deepEqual(down, ["catalog degraded"]);
        await setReadOnly(world, "off");
        await world.expectRecovery();
      },
    );

    await t.step("down: it is gone, and comes back", async () => {
      await world.cluster.stop("immediate");
      await assertShared(world, another, others[1]);
      await assertWithoutCatalog(world);
      await world.cluster.start();
      await world.expectRecovery();
    });
  });
});
