import type { Config } from "../config.ts";
import type { Database, DatabaseOptions } from "../adapters/postgres/database.ts";
import { createDatabase } from "../adapters/postgres/database.ts";
import { StartError } from "./start_error.ts";

/** The catalog's database and what it runs on. */
export interface Catalog {
  readonly database: Database;
  close(): Promise<void>;
}

/** Longest wait for a free connection, however patient statements are. Milliseconds. */
const MAX_POOL_WAIT_MS = 5_000;
/** Longest try of a transaction. Milliseconds. */
const MAX_TRANSACTION_MS = 15_000;

/**
 * Opens the configured database; starts the embedded one when none is configured.
 *
 * @throws {StartError} When the embedded database cannot use its folder.
 */
export async function openCatalog(
  config: Config["database"],
  options: Pick<DatabaseOptions, "observe"> = {},
): Promise<Catalog> {
  const { poolSize, connectTimeoutMs, statementTimeoutMs } = config;
  if (config.kind === "postgres") {
    const { url, replicaUrl } = config;
    const database = createDatabase({
      url,
      replicaUrl,
      poolSize,
      connectTimeoutMs,
      statementTimeoutMs,
      // What waits for a database that has gone silent must not wait for several time-outs.
      poolWaitMs: Math.min(MAX_POOL_WAIT_MS, statementTimeoutMs),
      transactionTimeoutMs: Math.min(
        MAX_TRANSACTION_MS,
        connectTimeoutMs + statementTimeoutMs,
      ),
      ...options,
    });
    return { database, close: () => database.close() };
  }
  const embedded = await startEmbedded(config.dataDir);
  const database = createDatabase({ url: embedded.url, poolSize: 1, ...options });
  return {
    database,
    async close() {
      await database.close();
      await embedded.close();
    },
  };
}

async function startEmbedded(dataDir: string) {
  const { EmbeddedPostgresError, startEmbeddedPostgres } = await import(
    "../adapters/embedded/pglite.ts"
  );
  try {
    return await startEmbeddedPostgres({ dataDir });
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) throw new StartError(error.message);
    throw error;
  }
}
