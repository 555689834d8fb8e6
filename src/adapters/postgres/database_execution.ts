/**
 * One statement or one transaction on one connection, under a deadline; and the rules by which a
 * transaction is started again.
 *
 * @module
 */
import type { ContentHash } from "../../core/content_hash.ts";
import { AppError } from "../../errors.ts";
import type { ConnectionPool, PooledConnection } from "./connection_pool.ts";
import { isConnectionLost, SQLSTATE, sqlStateOf } from "./database_errors.ts";
import type { Sql } from "./sql_types.ts";

/** Limits of a transaction, resolved. Durations in milliseconds; 0 is no limit. */
export interface TransactionLimits {
  readonly isolation?: "read committed" | "repeatable read" | "serializable" | undefined;
  readonly readOnly?: boolean | undefined;
  readonly lockContent?: ContentHash | undefined;
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  /** Longest time of one attempt, as this process sees it. */
  readonly timeoutMs: number;
}

/** How often a transaction is started at most. */
const MAX_ATTEMPTS = 5;
/** Each attempt has already waited for the lock, or lost a connection: fewer of them. */
const MAX_COSTLY_ATTEMPTS = 2;
const RETRY_BASE_MS = 8;

/** How long the server's own time-out may precede ours. */
const GRACE_MS = 500;

/** Borrows a connection for `use`; one that was lost or timed out does not go back. */
export async function useConnection<T>(
  pool: ConnectionPool,
  use: (connection: PooledConnection) => Promise<T>,
): Promise<T> {
  const connection = await pool.acquire();
  try {
    return await use(connection);
  } catch (error) {
    if (isConnectionLost(error)) connection.discard();
    throw error;
  } finally {
    connection.release();
  }
}

/**
 * Runs a query outside a transaction for at most `timeoutMs`.
 *
 * Only this side can limit it: `SET` would outlive the query on a pooler's connection, and
 * `SET LOCAL` needs a transaction. So after the deadline the server is asked to cancel.
 */
export async function runStatement<T>(
  connection: PooledConnection,
  query: (sql: Sql) => PromiseLike<T>,
  timeoutMs: number,
): Promise<T> {
  const pending = query(connection.sql);
  return await withDeadline(pending, timeoutMs, () => {
    if ("cancel" in pending && typeof pending.cancel === "function") pending.cancel();
    connection.discard();
  });
}

/** Runs `work` between BEGIN and COMMIT. */
export async function runTransaction<T>(
  connection: PooledConnection,
  work: (sql: Sql) => Promise<T>,
  limits: TransactionLimits,
): Promise<T> {
  return await withDeadline(
    attemptTransaction(connection, work, limits),
    limits.timeoutMs,
    () => connection.discard(),
  );
}

async function attemptTransaction<T>(
  { sql, discard }: PooledConnection,
  work: (sql: Sql) => Promise<T>,
  limits: TransactionLimits,
): Promise<T> {
  let result: T;
  try {
    // In here: when the wait for the lock fails, the transaction is open all the same.
    await sql.unsafe(formatBegin(limits));
    result = await work(sql);
  } catch (error) {
    // A connection that cannot even roll back must not be lent again.
    if (!isConnectionLost(error)) await sql.unsafe("rollback").catch(discard);
    throw error;
  }
  const { command } = await sql.unsafe("commit").catch((cause: unknown) => {
    // Not to be repeated: COMMIT may have happened. An AppError is never retried.
    if (!isConnectionLost(cause)) throw cause;
    discard();
    throw new AppError("catalog_unavailable", "The catalog was lost before it could confirm", {
      cause,
      retryAfterSeconds: 2,
    });
  });
  // PostgreSQL answers ROLLBACK to the COMMIT of a transaction that has failed before.
  if (command !== "COMMIT") {
    throw new Error("A statement of the transaction failed and its error was swallowed");
  }
  return result;
}

/**
 * The statement that takes the lock of a content, by the first 64 bits of its hash. Computed here
 * and not by the server: without parameters it costs one round trip, and goes with other statements.
 */
export function formatContentLock(contentHash: ContentHash): string {
  const key = BigInt.asIntN(64, BigInt(`0x${contentHash.slice(0, 16)}`));
  return `select pg_advisory_xact_lock(${key})`;
}

/** BEGIN, the local settings and the lock in one message: one round trip. */
function formatBegin(limits: TransactionLimits): string {
  const modes = [
    limits.isolation ? `isolation level ${limits.isolation}` : "",
    limits.readOnly ? "read only" : "",
  ].filter(Boolean).join(", ");
  const idleMs = limits.timeoutMs > 0 ? limits.timeoutMs + GRACE_MS : 0;
  return `begin ${modes};` +
    `set local statement_timeout = ${Math.trunc(limits.statementTimeoutMs)};` +
    `set local lock_timeout = ${Math.trunc(limits.lockTimeoutMs)};` +
    `set local idle_in_transaction_session_timeout = ${Math.trunc(idleMs)}` +
    (limits.lockContent ? `;${formatContentLock(limits.lockContent)}` : "");
}

/**
 * Starts `attempt` again while its failure says that a repetition may succeed, after a short
 * random pause so that the same parties do not meet again.
 */
export async function withRetries<T>(attempt: () => Promise<T>): Promise<T> {
  for (let attempts = 1;; attempts++) {
    try {
      return await attempt();
    } catch (error) {
      if (attempts >= maxAttempts(error)) throw error;
    }
    const pauseMs = RETRY_BASE_MS * 2 ** attempts * Math.random();
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

function maxAttempts(error: unknown): number {
  switch (sqlStateOf(error)) {
    case SQLSTATE.serializationFailure:
    case SQLSTATE.deadlockDetected:
      return MAX_ATTEMPTS;
    case SQLSTATE.lockNotAvailable:
      return MAX_COSTLY_ATTEMPTS;
    default:
      // AppErrors (a time-out, an unconfirmed COMMIT) carry codes of their own: one attempt.
      return isConnectionLost(error) ? MAX_COSTLY_ATTEMPTS : 1;
  }
}

async function withDeadline<T>(
  work: PromiseLike<T>,
  timeoutMs: number,
  onTimeout: () => void,
): Promise<T> {
  if (timeoutMs <= 0) return await work;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      onTimeout();
      reject(
        new AppError("catalog_unavailable", "The catalog did not answer in time", {
          retryAfterSeconds: 1,
        }),
      );
    }, timeoutMs);
  });
  // Losing the race must not make the driver's late rejection an unhandled one.
  Promise.resolve(work).catch(() => {});
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
