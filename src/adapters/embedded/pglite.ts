/**
 * Postgres inside this process, for development and tests: PGlite, reached over a loopback socket
 * by the same driver as a real server.
 *
 * @module
 */
import { lockDataDir } from "./data_dir_lock.ts";

export { EmbeddedPostgresError } from "./data_dir_lock.ts";

/** PGlite is one session: a second connection would see the first one's transaction. */
export const EMBEDDED_POOL_SIZE = 1;

/**
 * A connection that replaces a dropped one arrives before the server has seen the other go. They
 * take turns; only the pool keeps it to one connection at work.
 */
const MAX_CONNECTIONS = 8;

/**
 * Nothing that `initdb` writes has to survive a power failure: it is then just made anew. Small
 * WAL segments make a new folder 20 MB lighter, which is what its creation spends its time on.
 */
const INITDB_ARGUMENTS = ["--no-sync", "--wal-segsize=1"];

/** Options of {@linkcode startEmbeddedPostgres}. */
export interface EmbeddedPostgresOptions {
  /** Folder of the database; made when it does not exist. Without it everything is in memory. */
  readonly dataDir?: string;
  /** What `dump` of another instance returned: the content of a new database. */
  readonly seed?: Blob;
}

/** A running embedded Postgres. */
export interface EmbeddedPostgres {
  /** For `createDatabase`, together with a pool of {@linkcode EMBEDDED_POOL_SIZE}. */
  readonly url: string;
  /** The files of the database as an archive. Nobody may be in a transaction. */
  dump(): Promise<Blob>;
  /** Stops listening, writes a checkpoint and gives the folder free. */
  close(): Promise<void>;
}

/**
 * Starts an embedded Postgres on a free loopback port.
 *
 * What was committed survives the death of the process (write-ahead log, recovered at the next
 * start), though not a power failure: PGlite runs without fsync.
 *
 * @throws {EmbeddedPostgresError} when another process works on the folder.
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions = {},
): Promise<EmbeddedPostgres> {
  const { dataDir, seed } = options;
  if (dataDir !== undefined) await Deno.mkdir(dataDir, { recursive: true, mode: 0o700 });
  const lock = dataDir === undefined ? undefined : await lockDataDir(dataDir);
  try {
    // Imported on use: production never loads the 20 MB of these packages.
    const [{ PGlite }, { PGLiteSocketServer }] = await Promise.all([
      import("@electric-sql/pglite"),
      import("@electric-sql/pglite-socket"),
    ]);
    const db = await PGlite.create({
      dataDir: dataDir ?? "memory://",
      initDbStartParams: INITDB_ARGUMENTS,
      ...(seed ? { loadDataDir: seed } : {}),
    });
    const server = new PGLiteSocketServer({
      db,
      host: "127.0.0.1",
      port: 0,
      maxConnections: MAX_CONNECTIONS,
    });
    await server.start();
    return {
      url: `postgres://postgres@${server.getServerConn()}/postgres?sslmode=disable`,
      dump: () => db.dumpDataDir("none"),
      async close() {
        await server.stop();
        await db.close();
        lock?.[Symbol.dispose]();
      },
    };
  } catch (error) {
    lock?.[Symbol.dispose]();
    throw error;
  }
}
