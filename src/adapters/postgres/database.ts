/**
 * Access to Postgres for everything in this folder: reads, single guarded statements and
 * transactions, each with a bounded wait, a bounded time and failures that are already ours.
 *
 * Works through PgBouncer in transaction mode: no prepared statements, no session state, settings
 * by `SET LOCAL` only.
 *
 * @module
 */
import postgres from "postgres";
import type { ContentHash } from "../../core/content_hash.ts";
import { AppError } from "../../errors.ts";
import { ConnectionPool, type PoolStats } from "./connection_pool.ts";
import { isConnectionLost, toCatalogError } from "./database_errors.ts";
import {
  formatContentLock,
  runStatement,
  runTransaction,
  useConnection,
  withRetries,
} from "./database_execution.ts";
import { normalizePostgresUrl } from "./postgres_url.ts";
import { type Sql, SQL_TYPES } from "./sql_types.ts";

export type { Sql } from "./sql_types.ts";

/** What telemetry learns of one operation. */
export interface DatabaseEvent {
  readonly kind: "read" | "write" | "transaction";
  /** The name that the caller gave, for example `asset.find`; low-cardinality. */
  readonly name: string;
  /** From the request for a connection to the answer, retries included. */
  readonly durationMs: number;
  /** How often the work was started. */
  readonly attempts: number;
  readonly error?: unknown;
}

/** How to reach the database and how long to wait for it. Durations in milliseconds. */
export interface DatabaseOptions {
  /** `postgres://user:password@host:port/database?sslmode=…` */
  readonly url: string;
  /** A streaming replica for reads that tolerate lag; without it they go to the primary. */
  readonly replicaUrl?: string | undefined;
  /** Most connections, to each server. PGlite allows exactly 1. Default 5. */
  readonly poolSize?: number;
  /** Longest wait for a free connection before the caller gets `catalog_unavailable`. Default 5000. */
  readonly poolWaitMs?: number;
  /** Most callers that may wait for a connection. Default 1000. */
  readonly maxWaiting?: number;
  /** Longest time to open a connection. Default 5000. */
  readonly connectTimeoutMs?: number;
  /** Longest time of one statement. Default 5000. */
  readonly statementTimeoutMs?: number;
  /** Longest wait for a lock inside a transaction. Default 3000. */
  readonly lockTimeoutMs?: number;
  /** Longest time of one attempt at a transaction. Default 15000. */
  readonly transactionTimeoutMs?: number;
  /** An unused connection is closed after this. Default 60000. */
  readonly idleTimeoutMs?: number;
  /** A connection is not used any more after this. Default 1800000. */
  readonly maxLifetimeMs?: number;
  /** Shown in `pg_stat_activity`. Default `facet`. */
  readonly applicationName?: string;
  /** Called after every operation. Must not throw. */
  readonly observe?: (event: DatabaseEvent) => void;
}

/** Options of a read. */
export interface ReadOptions {
  readonly name?: string;
  /** The answer may be seconds old: it may come from the replica. */
  readonly tolerateLag?: boolean;
}

/** Options of a single statement. */
export interface WriteOptions {
  readonly name?: string;
  /** Running it twice is as good as once, so it is repeated when a connection dies under it. */
  readonly idempotent?: boolean;
}

/** Options of a transaction. Durations in milliseconds; 0 is no limit. */
export interface TransactionOptions {
  readonly name?: string;
  /** Takes the lock of this content first, as {@linkcode lockContentHash}, with no round trip. */
  readonly lockContent?: ContentHash;
  readonly isolation?: "read committed" | "repeatable read" | "serializable";
  readonly readOnly?: boolean;
  readonly statementTimeoutMs?: number;
  readonly lockTimeoutMs?: number;
  readonly timeoutMs?: number;
}

/** Whether the database answers, and how. */
export interface DatabaseHealth {
  readonly latencyMs: number;
  /** Only reads are possible: a standby, or a primary that was set read-only. */
  readonly readOnly: boolean;
}

/** The database as the adapters in this folder see it. Connections are opened on first use. */
export interface Database {
  /**
   * Runs a query that changes nothing. Repeated once when its connection dies.
   *
   * @throws {AppError} `catalog_unavailable` within bounded time when there is no answer.
   */
  read<T>(query: (sql: Sql) => PromiseLike<T>, options?: ReadOptions): Promise<T>;
  /**
   * Runs one statement that changes something, outside a transaction. Not repeated when the
   * connection dies under it (its outcome is unknown), unless it is `idempotent`.
   */
  write<T>(statement: (sql: Sql) => PromiseLike<T>, options?: WriteOptions): Promise<T>;
  /**
   * Runs `work` in a transaction. `work` may run several times (serialisation failure, deadlock,
   * lock time-out, connection lost before COMMIT), so it must change nothing but the database; it
   * must use the `sql` it is given, wait for all it starts, and do no other I/O. A connection lost
   * during COMMIT is reported, not repeated: the caller's guards decide what happened.
   *
   * @throws {AppError} `catalog_unavailable` when the attempts or the time are used up.
   */
  transaction<T>(work: (sql: Sql) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /** Asks the primary for a sign of life. */
  ping(): Promise<DatabaseHealth>;
  /** How busy the pool of the primary is. */
  readonly stats: PoolStats;
  /** Whether reads that tolerate lag go to another server. */
  readonly hasReplica: boolean;
  /** Waits at most `timeoutMs` (default 3000) for work under way, then closes all connections. */
  close(options?: { timeoutMs?: number }): Promise<void>;
}

const DEFAULTS = {
  poolSize: 5,
  poolWaitMs: 5_000,
  maxWaiting: 1_000,
  connectTimeoutMs: 5_000,
  statementTimeoutMs: 5_000,
  lockTimeoutMs: 3_000,
  transactionTimeoutMs: 15_000,
  idleTimeoutMs: 60_000,
  maxLifetimeMs: 1_800_000,
  applicationName: "facet",
} as const;

type Settings =
  & Required<Omit<DatabaseOptions, "replicaUrl" | "observe">>
  & Pick<DatabaseOptions, "replicaUrl" | "observe">;

/** Creates the access to a database. Opens no connection yet. */
export function createDatabase(options: DatabaseOptions): Database {
  const settings: Settings = { ...DEFAULTS, ...options };
  const primary = createPool(settings, settings.url);
  const replica = settings.replicaUrl ? createPool(settings, settings.replicaUrl) : undefined;
  const statementMs = settings.connectTimeoutMs + settings.statementTimeoutMs;

  function runOn<T>(pool: ConnectionPool, query: (sql: Sql) => PromiseLike<T>): Promise<T> {
    return useConnection(pool, (connection) => runStatement(connection, query, statementMs));
  }

  const database: Database = {
    get stats() {
      return primary.stats;
    },
    hasReplica: replica !== undefined,
    read(query, { name = "read", tolerateLag = false } = {}) {
      return observed(settings, { kind: "read", name }, async (countAttempt) => {
        const pool = tolerateLag && replica ? replica : primary;
        countAttempt();
        try {
          return await runOn(pool, query);
        } catch (error) {
          // A replica that cannot answer, for whatever reason of its own, is no reason to fail.
          const replicaFailed = pool === replica && toCatalogError(error) instanceof AppError;
          if (!replicaFailed && !isConnectionLost(error)) throw error;
          countAttempt();
          return await runOn(primary, query);
        }
      });
    },
    write(statement, { name = "write", idempotent = false } = {}) {
      return observed(settings, { kind: "write", name }, async (countAttempt) => {
        countAttempt();
        try {
          return await runOn(primary, statement);
        } catch (error) {
          if (!idempotent || !isConnectionLost(error)) throw error;
          countAttempt();
          return await runOn(primary, statement);
        }
      });
    },
    transaction(work, options = {}) {
      const { name = "transaction", timeoutMs = settings.transactionTimeoutMs } = options;
      const limits = {
        ...options,
        statementTimeoutMs: options.statementTimeoutMs ?? settings.statementTimeoutMs,
        lockTimeoutMs: options.lockTimeoutMs ?? settings.lockTimeoutMs,
        timeoutMs,
      };
      return observed(settings, { kind: "transaction", name }, (countAttempt) =>
        withRetries(() => {
          countAttempt();
          return useConnection(
            primary,
            (connection) => runTransaction(connection, work, limits),
          );
        }));
    },
    async ping() {
      const startedAt = performance.now();
      const [row] = await database.read(
        (sql) =>
          sql<{ readOnly: string }[]>`
            select current_setting('transaction_read_only') as "readOnly"`,
        { name: "ping" },
      );
      return { latencyMs: performance.now() - startedAt, readOnly: row.readOnly === "on" };
    },
    async close({ timeoutMs = 3_000 } = {}) {
      await Promise.all([primary.close(timeoutMs), replica?.close(timeoutMs)]);
    },
  };
  return database;
}

/** Runs an operation, maps its failure and reports it. */
async function observed<T>(
  settings: Settings,
  operation: Pick<DatabaseEvent, "kind" | "name">,
  run: (countAttempt: () => void) => Promise<T>,
): Promise<T> {
  const startedAt = performance.now();
  let attempts = 0;
  const report = (outcome: { error?: unknown }) =>
    settings.observe?.({
      ...operation,
      durationMs: performance.now() - startedAt,
      attempts,
      ...outcome,
    });
  try {
    const result = await run(() => attempts++);
    report({});
    return result;
  } catch (cause) {
    const error = toCatalogError(cause);
    report({ error });
    throw error;
  }
}

/**
 * Takes the lock that serialises everything about one content, until the transaction ends. It is
 * the first statement of every transaction on that content, so that no two of them can deadlock.
 */
export async function lockContentHash(sql: Sql, contentHash: ContentHash): Promise<void> {
  await sql.unsafe(formatContentLock(contentHash));
}

function createPool(settings: Settings, url: string): ConnectionPool {
  return new ConnectionPool({
    size: settings.poolSize,
    waitTimeoutMs: settings.poolWaitMs,
    maxWaiting: settings.maxWaiting,
    idleTimeoutMs: settings.idleTimeoutMs,
    maxLifetimeMs: settings.maxLifetimeMs,
    open: (onClosed) => {
      const sql: postgres.Sql = postgres(normalizePostgresUrl(url), {
        max: 1,
        prepare: false,
        fetch_types: false,
        // The pool decides about age and idleness: the driver would close between two statements
        // of a transaction.
        // deno-lint-ignore no-explicit-any -- the driver accepts null, its types do not say so
        max_lifetime: null as any,
        connect_timeout: settings.connectTimeoutMs / 1000,
        connection: { application_name: settings.applicationName },
        types: SQL_TYPES,
        onnotice: () => {},
        onclose: () => {
          onClosed();
          // From now on the client refuses queries instead of connecting anew (see ConnectionPool).
          sql.end({ timeout: 0 }).catch(() => {});
        },
      }) as unknown as postgres.Sql;
      return sql;
    },
  });
}
