import assert from "node:assert/strict";
import type postgres from "postgres";
import {
  ConnectionPool,
  type ConnectionPoolOptions,
} from "../../../../src/adapters/postgres/connection_pool.ts";
import { hasCode } from "../../../../src/errors.ts";

/** A client of the driver, as far as the pool knows it. */
interface Client {
  readonly id: number;
  ended: boolean;
  close(): void;
  end(): Promise<void>;
}

function createPool(options: Partial<ConnectionPoolOptions> = {}) {
  const clients: Client[] = [];
  const pool = new ConnectionPool({
    size: 2,
    waitTimeoutMs: 1_000,
    maxWaiting: 10,
    idleTimeoutMs: 60_000,
    maxLifetimeMs: 60_000,
    open: (onClosed) => {
      const client: Client = {
        id: clients.length,
        ended: false,
        close: onClosed,
        end() {
          client.ended = true;
          return Promise.resolve();
        },
      };
      clients.push(client);
      return client as unknown as postgres.Sql;
    },
    ...options,
  });
  return { pool, clients };
}

Deno.test("ConnectionPool opens no more than it needs, and reuses what came back last", async () => {
  const { pool, clients } = createPool();
  const first = await pool.acquire();
  first.release();
  const again = await pool.acquire();
  assert.equal(again.sql, first.sql);
  const second = await pool.acquire();
  assert.notEqual(second.sql, first.sql);
  again.release();
  second.release();
  assert.equal((await pool.acquire()).sql, second.sql);
  assert.equal(clients.length, 2);
  await pool.close(0);
});

Deno.test("ConnectionPool serves callers in the order in which they came", async () => {
  const { pool } = createPool({ size: 1 });
  const holder = await pool.acquire();
  const order: number[] = [];
  const waiting = [1, 2, 3].map(async (n) => {
    const connection = await pool.acquire();
    order.push(n);
    connection.release();
  });
  assert.deepEqual(pool.stats, { size: 1, inUse: 1, waiting: 3 });
  holder.release();
  await Promise.all(waiting);
  assert.deepEqual(order, [1, 2, 3]);
  assert.deepEqual(pool.stats, { size: 1, inUse: 0, waiting: 0 });
  await pool.close(0);
});

Deno.test("ConnectionPool never lends a connection again that has closed or was discarded", async () => {
  const { pool, clients } = createPool({ size: 1 });
  (await pool.acquire()).release();
  clients[0].close(); // while idle
  (await pool.acquire()).discard();
  assert.equal(clients[1].ended, true);
  const third = await pool.acquire();
  clients[2].close(); // while lent
  third.release();
  third.release(); // once too often
  (await pool.acquire()).release();
  assert.equal(clients.length, 4);
  assert.equal(pool.stats.inUse, 0);
  await pool.close(0);
});

Deno.test("ConnectionPool closes what is idle for long, and what is old", async () => {
  const idle = createPool({ idleTimeoutMs: 10 });
  (await idle.pool.acquire()).release();
  await new Promise((resolve) => setTimeout(resolve, 40));
  assert.equal(idle.clients[0].ended, true);
  await idle.pool.close(0);

  const old = createPool({ maxLifetimeMs: 10 });
  (await old.pool.acquire()).release();
  await new Promise((resolve) => setTimeout(resolve, 20));
  (await old.pool.acquire()).release();
  assert.equal(old.clients.length, 2);
  assert.equal(old.clients[0].ended, true);
  await old.pool.close(0);
});

Deno.test("ConnectionPool.close() refuses who waits, and waits for who works", async () => {
  const { pool, clients } = createPool({ size: 1 });
  const holder = await pool.acquire();
  const waiting = assert.rejects(
    pool.acquire(),
    (error) => hasCode(error, "catalog_unavailable"),
  );
  let closed = false;
  const closing = pool.close(5_000).then(() => closed = true);
  await waiting;
  await assert.rejects(pool.acquire());
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(closed, false);
  holder.release();
  await closing;
  assert.equal(clients[0].ended, true);
});
