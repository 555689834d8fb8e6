/** PgBouncer in transaction mode, in front of a private cluster. */
import { findFreePort, type PostgresCluster } from "./postgres_cluster.ts";
import { skipOrFail } from "./test_database.ts";

const PROGRAM = "/usr/sbin/pgbouncer";

/** A running PgBouncer on a loopback port. */
export interface PgBouncer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts PgBouncer with `poolSize` server connections; null, with the reason printed, where it is
 * not installed.
 *
 * @throws {Error} where that is so although `CI_REQUIRE_POSTGRES=1` demands it.
 */
export async function startPgBouncer(
  cluster: PostgresCluster,
  options: { database: string; poolSize: number },
): Promise<PgBouncer | null> {
  try {
    await Deno.stat(PROGRAM);
  } catch {
    return skipOrFail("PgBouncer is not installed", "CI_REQUIRE_POSTGRES");
  }
  const port = findFreePort();
  const file = `${cluster.folder}/pgbouncer-${port}.ini`;
  await Deno.writeTextFile(
    file,
    `[databases]
* = user=postgres host=127.0.0.1 port=${cluster.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${options.poolSize}
max_client_conn = 500
server_reset_query_always = 0
admin_users = postgres
`,
  );
  const asRoot = Deno.uid() === 0;
  const process = new Deno.Command(asRoot ? "runuser" : PROGRAM, {
    args: asRoot ? ["-u", "postgres", "--", PROGRAM, file] : [file],
    cwd: "/",
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await waitForPort(port);
  return {
    url: `postgres://postgres@127.0.0.1:${port}/${options.database}`,
    async close() {
      process.kill("SIGTERM");
      await process.status;
    },
  };
}

async function waitForPort(port: number): Promise<void> {
  for (let attempt = 0;; attempt++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
