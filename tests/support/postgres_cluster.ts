/** A private PostgreSQL server, for tests that stop, restart or starve it. */
import { skipOrFail } from "./test_database.ts";

const BIN = "/usr/lib/postgresql/15/bin";

/** How the cluster is stopped: with a last checkpoint, dropping clients, or as by a crash. */
export type StopMode = "smart" | "fast" | "immediate";

/** A running private server with trust authentication on a loopback port. */
export interface PostgresCluster {
  readonly port: number;
  /** Of the database `postgres`, as the superuser `postgres`. */
  readonly url: string;
  /** Folder that belongs to the user postgres, for whatever else runs as that user. */
  readonly folder: string;
  stop(mode: StopMode): Promise<void>;
  start(): Promise<void>;
  /** Stops the server and removes its files. */
  close(): Promise<void>;
}

/**
 * Starts a private cluster; null, with the reason printed, where that is not possible.
 *
 * @throws {Error} where it is not possible although `CI_REQUIRE_POSTGRES=1` demands it.
 */
export async function startPostgresCluster(
  settings: Readonly<Record<string, string>> = {},
): Promise<PostgresCluster | null> {
  try {
    await Deno.stat(`${BIN}/postgres`);
  } catch {
    return skipOrFail("PostgreSQL 15 is not installed", "CI_REQUIRE_POSTGRES");
  }
  const folder = await Deno.makeTempDir({ prefix: "facet-postgres-" });
  await Deno.chmod(folder, 0o755);
  if (Deno.uid() === 0) await run("chown", ["postgres", folder]);
  const data = `${folder}/data`;
  await runAsPostgres(`${BIN}/initdb`, [
    "-D",
    data,
    "-U",
    "postgres",
    "-A",
    "trust",
    "-N",
    "-E",
    "UTF8",
    "--locale=C",
  ]);
  const port = findFreePort();
  const all: Record<string, string> = {
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: folder,
    fsync: "off",
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = '${value}'\n`).join("");
  await Deno.writeTextFile(`${data}/postgresql.conf`, lines, { append: true });

  const start = () =>
    runAsPostgres(`${BIN}/pg_ctl`, ["-D", data, "-l", `${folder}/log`, "-w", "start"]);
  const stop = (mode: StopMode) =>
    runAsPostgres(`${BIN}/pg_ctl`, ["-D", data, "-m", mode, "-w", "stop"]);
  await start();
  return {
    port,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    folder,
    start,
    stop,
    async close() {
      await stop("immediate").catch(() => {});
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Runs a program as the user postgres, since the server refuses to run as root. */
export async function runAsPostgres(program: string, args: readonly string[]): Promise<void> {
  if (Deno.uid() === 0) await run("runuser", ["-u", "postgres", "--", program, ...args]);
  else await run(program, args);
}

/** A port that nobody listens on right now. */
export function findFreePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd: "/",
    stdin: "null",
    // Not piped: a server that stays behind would keep the pipe open.
    stdout: "null",
    stderr: program.endsWith("pg_ctl") || args.some((arg) => arg.endsWith("pg_ctl"))
      ? "null"
      : "piped",
  }).output().then((output) => ({
    success: output.success,
    stderr: output.success ? "" : safeText(output),
  }));
  if (!success) throw new Error(`${program} ${args.join(" ")} failed: ${stderr}`);
}

function safeText(output: Deno.CommandOutput): string {
  try {
    return new TextDecoder().decode(output.stderr);
  } catch {
    return "see its log";
  }
}
