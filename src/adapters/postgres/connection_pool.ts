import postgres from "postgres";
import { AppError } from "../../errors.ts";

/** A connection that one caller owns until it gives it back. */
export interface PooledConnection {
  readonly sql: postgres.Sql;
  /** Gives the connection back. Calling it twice, or after `discard`, does nothing. */
  release(): void;
  /** Closes the connection instead of giving it back: its session is in an unknown condition. */
  discard(): void;
}

/** Bounds of a {@linkcode ConnectionPool}. Times in milliseconds. */
export interface ConnectionPoolOptions {
  /** Opens a client of exactly one lazy connection, and calls `onClosed` when that has closed. */
  readonly open: (onClosed: () => void) => postgres.Sql;
  /** Most connections. */
  readonly size: number;
  /** Longest wait for a free connection. */
  readonly waitTimeoutMs: number;
  /** Most callers that may wait; one more is refused at once. */
  readonly maxWaiting: number;
  /** A connection that nobody used for so long is closed. */
  readonly idleTimeoutMs: number;
  /** A connection is not given out again after so long, so that a fail-over behind DNS is seen. */
  readonly maxLifetimeMs: number;
}

/** Numbers for telemetry and readiness. */
export interface PoolStats {
  readonly size: number;
  readonly inUse: number;
  readonly waiting: number;
}

interface Slot {
  readonly sql: postgres.Sql;
  readonly openedAt: number;
  closed: boolean;
  idleTimer?: ReturnType<typeof setTimeout> | undefined;
}

/**
 * A pool in which each connection is a driver client of its own, owned by one caller at a time.
 *
 * The driver's own pool queues without bound, and after a killed connection it may send the later
 * statements of a transaction (its ROLLBACK too) over a connection that was opened anew for
 * somebody else (porsager/postgres issue 1155). Here a closed connection takes its whole client
 * with it: what still refers to it can only fail.
 */
export class ConnectionPool {
  readonly #options: ConnectionPoolOptions;
  readonly #idle: Slot[] = [];
  readonly #live = new Set<Slot>();
  readonly #waiting: { resolve: () => void; reject: (error: AppError) => void }[] = [];
  #inUse = 0;
  #closing = false;
  #drained: (() => void) | undefined;

  constructor(options: ConnectionPoolOptions) {
    this.#options = options;
  }

  /** How busy the pool is. */
  get stats(): PoolStats {
    return { size: this.#options.size, inUse: this.#inUse, waiting: this.#waiting.length };
  }

  /**
   * Waits for a free connection; first come, first served.
   *
   * @throws {AppError} `catalog_unavailable` when the wait or the queue is over its bound, or the
   * pool is closing.
   */
  async acquire(): Promise<PooledConnection> {
    if (this.#closing) throw new AppError("catalog_unavailable", "The catalog is shutting down");
    if (this.#inUse >= this.#options.size) await this.#wait();
    else this.#inUse++;
    return this.#lend(this.#takeIdle() ?? this.#open());
  }

  /** Refuses new callers, waits at most `timeoutMs` for the present ones, closes everything. */
  async close(timeoutMs: number): Promise<void> {
    this.#closing = true;
    for (const waiter of this.#waiting.splice(0)) {
      waiter.reject(new AppError("catalog_unavailable", "The catalog is shutting down"));
    }
    if (this.#inUse > 0 && timeoutMs > 0) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      await Promise.race([
        new Promise<void>((resolve) => this.#drained = resolve),
        new Promise<void>((resolve) => timer = setTimeout(resolve, timeoutMs)),
      ]);
      clearTimeout(timer);
    }
    // One second for the goodbye message of each connection; then the sockets are dropped.
    const slots = [...this.#live];
    await Promise.all(slots.map((slot) => {
      this.#forget(slot);
      return slot.sql.end({ timeout: 1 });
    }));
  }

  #wait(): Promise<void> {
    if (this.#waiting.length >= this.#options.maxWaiting) {
      throw new AppError("catalog_unavailable", "The catalog is too busy at the moment", {
        retryAfterSeconds: 1,
      });
    }
    return new Promise<void>((resolve, reject) => {
      const waiter = {
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
        reject: (error: AppError) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        waiter.reject(
          new AppError("catalog_unavailable", "The catalog is too busy at the moment", {
            retryAfterSeconds: 1,
          }),
        );
      }, this.#options.waitTimeoutMs);
      this.#waiting.push(waiter);
    });
  }

  #open(): Slot {
    const slot: Slot = {
      sql: this.#options.open(() => this.#forget(slot)),
      openedAt: performance.now(),
      closed: false,
    };
    this.#live.add(slot);
    return slot;
  }

  /** The most recently used connection: the others get a chance to become idle and close. */
  #takeIdle(): Slot | undefined {
    for (let slot = this.#idle.pop(); slot; slot = this.#idle.pop()) {
      clearTimeout(slot.idleTimer);
      if (slot.closed) continue;
      if (performance.now() - slot.openedAt < this.#options.maxLifetimeMs) return slot;
      this.#discard(slot);
    }
    return undefined;
  }

  #lend(slot: Slot): PooledConnection {
    let lent = true;
    const giveBack = (keep: boolean) => {
      if (!lent) return;
      lent = false;
      if (keep && !slot.closed && !this.#closing) this.#park(slot);
      else this.#discard(slot);
      const next = this.#waiting.shift();
      if (next) next.resolve(); // the place in use passes on
      else this.#inUse--;
      if (this.#inUse === 0) this.#drained?.();
    };
    return { sql: slot.sql, release: () => giveBack(true), discard: () => giveBack(false) };
  }

  #park(slot: Slot): void {
    this.#idle.push(slot);
    slot.idleTimer = setTimeout(() => this.#discard(slot), this.#options.idleTimeoutMs);
    // An idle connection is no reason for the process to stay alive.
    Deno.unrefTimer(slot.idleTimer as unknown as number);
  }

  #discard(slot: Slot): void {
    this.#forget(slot);
    slot.sql.end({ timeout: 0 }).catch(() => {});
  }

  /** The connection has closed: from now on every query on its client is refused. */
  #forget(slot: Slot): void {
    if (slot.closed) return;
    slot.closed = true;
    clearTimeout(slot.idleTimer);
    this.#live.delete(slot);
    const index = this.#idle.indexOf(slot);
    if (index >= 0) this.#idle.splice(index, 1);
  }
}
