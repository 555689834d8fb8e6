// deno-lint-ignore-file no-console -- a benchmark prints
/**
 * What delivery costs over HTTP, in one run and as ratios: warm hits against a bare `Deno.serve` of
 * the same bytes, 304, 403, 404, hits in the shared cache, and cold variants.
 *
 *     deno task bench:http [--seconds 3] [--rounds 3] [--connections 64]
 *
 * Load comes from wrk where it is installed, else from autocannon. It shares the machine with the
 * servers, so only ratios of the same run mean anything; those of processor time per request also
 * where the machine has other things to do.
 */
import { parseArgs } from "node:util";
import { dirname, join } from "../tests/support/paths.ts";
import { type ServiceProcess, startService } from "../tests/support/service_process.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "3" },
    connections: { type: "string", default: "64" },
  },
});
const SECONDS = Number(values.seconds);
const ROUNDS = Number(values.rounds);
const CONNECTIONS = Number(values.connections);
const AUTOCANNON = "npm:autocannon@8.0.0";

/** One measurement. */
interface Load {
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
  /** Replies that were not 2xx or 3xx, and connections that failed. */
  readonly failures: number;
  readonly requests: number;
}

/** A load, and what the server's process spent on it. */
interface Measured extends Load {
  /** Processor time per request in microseconds; NaN where the system does not tell. */
  readonly cpuMicroseconds: number;
}

interface Contender {
  readonly name: string;
  readonly url: string;
  /** The server's process. */
  readonly pid: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether replies are meant to be errors. */
  readonly refused?: boolean;
}

async function isInstalled(program: string): Promise<boolean> {
  try {
    await new Deno.Command(program, { args: ["-v"], stdout: "null", stderr: "null" }).output();
    return true;
  } catch {
    return false;
  }
}

const useWrk = await isInstalled("wrk");

async function load({ url, pid, headers = {} }: Contender): Promise<Measured> {
  const pairs = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const startedSeconds = readCpuSeconds(pid);
  const result = useWrk ? await runWrk(url, pairs) : await runAutocannon(url, pairs);
  const cpuMicroseconds = (readCpuSeconds(pid) - startedSeconds) * 1e6 / result.requests;
  return { ...result, cpuMicroseconds };
}

/** Processor time of a process, user and system, from `/proc` (proc(5), fields 14 and 15). */
function readCpuSeconds(pid: number): number {
  try {
    const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /, "").split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return NaN;
  }
}

async function runWrk(url: string, headers: readonly string[]): Promise<Load> {
  const args = ["-t1", `-c${CONNECTIONS}`, `-d${SECONDS}s`, "--latency", ...headers, url];
  const { stdout } = await new Deno.Command("wrk", { args }).output();
  const text = new TextDecoder().decode(stdout);
  const p99 = /99%\s+([\d.]+)(us|ms|s)/.exec(text);
  const unitMs: Record<string, number> = { us: 0.001, ms: 1, s: 1000 };
  const errors = /Non-2xx or 3xx responses: (\d+)/.exec(text);
  const broken = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  return {
    requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? NaN),
    requests: Number(/(\d+) requests in/.exec(text)?.[1] ?? NaN),
    p99Ms: p99 ? Number(p99[1]) * unitMs[p99[2]] : NaN,
    failures: Number(errors?.[1] ?? 0) +
      (broken?.slice(1).reduce((sum, count) => sum + Number(count), 0) ?? 0),
  };
}

async function runAutocannon(url: string, headers: readonly string[]): Promise<Load> {
  const args = ["run", "-A", AUTOCANNON, "-j", `-c${CONNECTIONS}`, `-d${SECONDS}`];
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [...args, ...headers.map((each) => each.replace(/^([^ ]+): /, "$1=")), url],
    stderr: "null",
  }).output();
  const result = JSON.parse(new TextDecoder().decode(stdout));
  return {
    requestsPerSecond: result.requests.average,
    requests: result.requests.total,
    p99Ms: result.latency.p99,
    failures: result.non2xx + result.errors,
  };
}

/** Serves the bytes under the given headers and does nothing else: what Deno itself costs. */
async function startBareServer(
  file: string,
  headers: Readonly<Record<string, string>>,
): Promise<ServiceProcess> {
  const code = `
    const bytes = await Deno.readFile(Deno.args[0]);
    const headers = JSON.parse(Deno.args[1]);
    Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }) =>
      console.log("listens on http://localhost:" + port) }, () => new Response(bytes, { headers }));
  `;
  const path = join(dirname(file), "bare.ts");
  await Deno.writeTextFile(path, code);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", path, file, JSON.stringify(headers)],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.getReader();
  let text = "";
  while (!text.includes("\n")) text += new TextDecoder().decode((await reader.read()).value);
  return {
    origin: /http:\S+/.exec(text)![0],
    pid: child.pid,
    output: () => text,
    stop: () => Promise.resolve(0),
    async [Symbol.asyncDispose]() {
      child.kill();
      await reader.cancel();
      await child.status;
    },
  };
}

function median(numbers: readonly number[]): number {
  return percentile(numbers, 0.5);
}

function percentile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** What a page of pictures is made of: the variant nearest to it in size is the warm one. */
const TYPICAL_BYTES = 25_000;

interface Cold {
  readonly times: readonly number[];
  /** Path of the variant that is nearest to {@linkcode TYPICAL_BYTES}. */
  readonly typicalPath: string;
}

async function measureCold(origin: string, hash: string): Promise<Cold> {
  const times: number[] = [];
  let typical = { path: "", offBytes: Infinity };
  for (const size of ["320x240", "640x480", "1024x768"]) {
    for (const quality of [50, 60, 70, 75, 85, 90, 95]) {
      const path = `/${hash}/${size}/${quality}.jpg`;
      const startedMs = performance.now();
      const response = await fetch(origin + path);
      const { byteLength } = await response.bytes();
      if (response.headers.get("x-cache") !== "MISS") throw new Error("it was not cold");
      times.push(performance.now() - startedMs);
      const offBytes = Math.abs(byteLength - TYPICAL_BYTES);
      if (offBytes < typical.offBytes) typical = { path, offBytes };
    }
  }
  return { times, typicalPath: typical.path };
}

async function uploadSample(service: ServiceProcess, dataDir: string): Promise<string> {
  const key = /facet_dev_\S+/.exec(service.output())![0].replace(/['"].*/, "");
  const response = await fetch(`${service.origin}/v1/assets`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "image/png" },
    body: await Deno.readFile(`${dataDir}/sample.png`),
  });
  return (await response.json()).contentHash;
}

const temporary = await Deno.makeTempDir({ prefix: "facet-bench-" });
try {
  await run();
} finally {
  await Deno.remove(temporary, { recursive: true });
}

async function run(): Promise<void> {
  const dataDir = `${temporary}/data`;
  const options = { command: "dev", dataDir };
  const env = { RENDER_BUDGET: "0", ACCESS_LOG: "false" };
  const results = new Map<string, Measured[]>();
  let cold: Cold;
  let sizeBytes: number;
  {
    await using service = await startService({ ...options, env });
    const hash = await uploadSample(service, dataDir);
    cold = await measureCold(service.origin, hash);
    const url = service.origin + cold.typicalPath;
    const variant = await fetch(url);
    const bytes = await variant.bytes();
    sizeBytes = bytes.byteLength;
    await Deno.writeFile(`${temporary}/variant.jpg`, bytes);
    const file = `${temporary}/variant.jpg`;
    await using bare = await startBareServer(file, { "content-type": "image/jpeg" });
    const { pid } = service;
    const unknown = hash.split("").reverse().join("");
    const { date: _date, ...headers } = Object.fromEntries(variant.headers);
    await using full = await startBareServer(file, headers);
    await measureAll(results, [
      { name: "bare Deno.serve", url: bare.origin, pid: bare.pid },
      { name: "same headers", url: full.origin, pid: full.pid },
      { name: "warm hit", url, pid },
      { name: "304", url, pid, headers: { "if-none-match": variant.headers.get("etag")! } },
      { name: "403", url: `${service.origin}/${hash}/641x481/80.webp`, pid, refused: true },
      {
        name: "404",
        url: service.origin + cold.typicalPath.replace(hash, unknown),
        pid,
        refused: true,
      },
    ]);
  }
  {
    // Without memory every request is a hit in the shared cache.
    await using service = await startService({
      ...options,
      env: { ...env, MEMORY_CACHE_SIZE: "0" },
    });
    const url = service.origin + cold.typicalPath;
    const reply = await fetch(url);
    if (reply.headers.get("x-cache") !== "KV") throw new Error(`no hit: ${await reply.text()}`);
    await reply.body?.cancel();
    await measureAll(results, [{ name: "KV hit", url, pid: service.pid }]);
  }
  report(results, { coldMs: cold.times, sizeBytes });
}

/** Takes turns, so that what else the machine does falls on all alike. */
async function measureAll(
  results: Map<string, Measured[]>,
  contenders: readonly Contender[],
): Promise<void> {
  // Once unmeasured: code is compiled by then, and workers have started.
  for (const contender of contenders) await load(contender);
  for (let round = 0; round < ROUNDS; round++) {
    for (const contender of contenders) {
      const result = await load(contender);
      if (!contender.refused && result.failures > 0) {
        const { status } = await fetch(contender.url, { method: "HEAD" });
        throw new Error(`${contender.name}: ${result.failures} replies failed, now ${status}`);
      }
      results.set(contender.name, [...results.get(contender.name) ?? [], result]);
    }
  }
}

function report(
  results: ReadonlyMap<string, readonly Measured[]>,
  { coldMs, sizeBytes }: { coldMs: readonly number[]; sizeBytes: number },
): void {
  const tool = useWrk ? "wrk" : "autocannon";
  const rate = (name: string) =>
    median(results.get(name)!.map(({ requestsPerSecond }) => requestsPerSecond));
  const cpu = (name: string) =>
    median(results.get(name)!.map(({ cpuMicroseconds }) => cpuMicroseconds));
  console.log(
    `${tool}, ${CONNECTIONS} connections, ${ROUNDS} × ${SECONDS} s, ${sizeBytes} bytes, Deno ${Deno.version.deno}`,
  );
  console.log("what             |    req/s | ratio to bare | p99 ms | cpu µs | bare cpu / cpu");
  for (const [name, loads] of results) {
    const p99Ms = median(loads.map((each) => each.p99Ms));
    console.log(
      `${name.padEnd(16)} | ${rate(name).toFixed(0).padStart(8)} | ${
        (rate(name) / rate("bare Deno.serve")).toFixed(2).padStart(13)
      } | ${p99Ms.toFixed(1).padStart(6)} | ${cpu(name).toFixed(1).padStart(6)} | ${
        (cpu("bare Deno.serve") / cpu(name)).toFixed(2).padStart(14)
      }`,
    );
  }
  console.log(
    `cold, one at a time: ${coldMs.length} variants, p50 ${median(coldMs).toFixed(0)} ms, p95 ${
      percentile(coldMs, 0.95).toFixed(0)
    } ms`,
  );
}
