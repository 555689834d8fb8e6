/**
 * The service as a process of its own, as a user starts it.
 */
import { dirname, fromFileUrl, join } from "./paths.ts";

const root = join(dirname(fromFileUrl(import.meta.url)), "..", "..");

/** A running service. Dispose it to kill it. */
export interface ServiceProcess extends AsyncDisposable {
  /** `http://localhost:PORT`, once it listens. */
  readonly origin: string;
  readonly pid: number;
  /** Everything it has printed so far. */
  output(): string;
  /** Sends a signal and waits for the end; resolves to the exit code (128 + number for a signal). */
  stop(signal: Deno.Signal): Promise<number>;
}

/** How to start the service. */
export interface ServiceOptions {
  readonly command: string;
  readonly dataDir: string;
  /** Further variables. The rest of the environment is not passed on. */
  readonly env?: Readonly<Record<string, string>>;
}

/** How long a start may take on a busy machine. Milliseconds. */
const START_TIMEOUT_MS = 60_000;

/** Starts the service and waits until it listens. Throws what it printed when it ends instead. */
export async function startService(options: ServiceOptions): Promise<ServiceProcess> {
  const child = spawn(options);
  const printed = collect(child);
  const ended = child.status.then(({ code }) => code);
  const port = await waitForPort(printed, ended);
  return {
    origin: `http://localhost:${port}`,
    pid: child.pid,
    output: printed.text,
    async stop(signal) {
      child.kill(signal);
      const code = await ended;
      await printed.finished;
      return code;
    },
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch (error) {
        // It has ended already.
        if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
      }
      await ended;
      await printed.finished;
    },
  };
}

/** Runs a command of the service to its end. */
export async function runToEnd(
  options: ServiceOptions,
): Promise<{ readonly code: number; readonly output: string }> {
  const child = spawn(options);
  const printed = collect(child);
  const { code } = await child.status;
  await printed.finished;
  return { code, output: printed.text() };
}

function spawn({ command, dataDir, env }: ServiceOptions): Deno.ChildProcess {
  const passed = ["PATH", "HOME", "DENO_DIR", "TMPDIR"].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", "--cached-only", "main.ts", ...command.split(" ")],
    cwd: root,
    clearEnv: true,
    env: {
      ...Object.fromEntries(passed),
      NO_COLOR: "1",
      PORT: "0",
      FACET_DATA_DIR: dataDir,
      // Beside other tests there is no idle time that renders could be left with.
      RENDER_NICENESS: "0",
      ...env,
    },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

interface Printed {
  readonly text: () => string;
  readonly finished: Promise<unknown>;
}

function collect(child: Deno.ChildProcess): Printed {
  let text = "";
  async function read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream() as never)) {
      text += chunk as unknown as string;
    }
  }
  return { text: () => text, finished: Promise.all([read(child.stdout), read(child.stderr)]) };
}

async function waitForPort(printed: Printed, ended: Promise<number>): Promise<number> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  let code: number | undefined;
  ended.then((value) => code = value);
  while (Date.now() < deadline) {
    const match = /listens on http:\/\/[^:]+:(\d+)|"message":"listening".*?"port":(\d+)/
      .exec(printed.text());
    if (match) return Number(match[1] ?? match[2]);
    if (code !== undefined) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`The service did not start (exit code ${code}): ${printed.text()}`);
}
