// deno-lint-ignore-file no-console -- a benchmark prints
/**
 * Cold variants over HTTP, Facet against ipx: each a server process of its own, asked in turns for
 * the same picture at 640x480 and quality 80, one request at a time. Facet runs without memory and
 * KV cache, so that each request renders; ipx keeps no responses.
 *
 *     deno task bench:ipx [--rounds 5]
 *
 * ipx runs with its defaults: progressive JPEG, no profile and no orientation in its results.
 */
import { parseArgs } from "node:util";
import { memorySource } from "../src/core/image_header/byte_source.ts";
import { probeImage } from "../src/core/image_header/probe_image.ts";
import { type ServiceProcess, startService } from "../tests/support/service_process.ts";
import { type BenchSource, loadBenchSources } from "./sources.ts";

const options = { rounds: { type: "string", default: "5" } } as const;
const ROUNDS = Number(parseArgs({ args: Deno.args, options }).values.rounds);
const WIDTH = 640;
const HEIGHT = 480;
const NO_CACHES = {
  MEMORY_CACHE_SIZE: "0",
  DENO_KV_URL: "none",
  RENDER_BUDGET: "0",
  ACCESS_LOG: "false",
};

/** The same picture at both servers. */
interface Pair {
  readonly name: string;
  readonly ourUrl: string;
  readonly theirUrl: string;
}

/** Apart from this project's configuration: ipx brings a sharp of its own. */
const IPX_SERVER = `
  import { createIPX, createIPXWebServer, ipxFSStorage } from "npm:ipx@3.1.1";
  const handle = createIPXWebServer(createIPX({ storage: ipxFSStorage({ dir: Deno.args[0] }) }));
  Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }) =>
    console.log("listens on http://127.0.0.1:" + port) }, (request) => handle(request));
`;

async function startIpx(folder: string): Promise<AsyncDisposable & { readonly origin: string }> {
  await Deno.writeTextFile(`${folder}/ipx.ts`, IPX_SERVER);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", "--no-lock", `${folder}/ipx.ts`, folder],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let printed = "";
  while (!printed.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error("ipx did not start");
    printed += value;
  }
  return {
    origin: /http:\S+/.exec(printed)![0],
    async [Symbol.asyncDispose]() {
      child.kill();
      await reader.cancel();
      await child.status;
    },
  };
}

async function upload(service: ServiceProcess, { bytes }: BenchSource): Promise<string> {
  const key = /facet_dev_\S+/.exec(service.output())![0].replace(/['"].*/, "");
  const response = await fetch(`${service.origin}/v1/assets`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "image/jpeg" },
    body: bytes,
  });
  if (!response.ok) throw new Error(`upload: ${response.status} ${await response.text()}`);
  return (await response.json()).contentHash;
}

/** How long one cold variant takes, in ms. Throws when it came from a cache or is of another size. */
async function request(url: string): Promise<number> {
  const startedMs = performance.now();
  const response = await fetch(url);
  const bytes = await response.bytes();
  const ms = performance.now() - startedMs;
  const facts = response.ok ? await probeImage(memorySource(bytes)) : null;
  const got = `${response.headers.get("x-cache") ?? "MISS"} ${facts?.width}x${facts?.height}`;
  if (got !== `MISS ${WIDTH}x${HEIGHT}`) throw new Error(`${url}: ${response.status} ${got}`);
  return ms;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}

function geometricMean(numbers: readonly number[]): number {
  return Math.exp(numbers.reduce((sum, each) => sum + Math.log(each), 0) / numbers.length);
}

/** Asks both in turns, the first one changing from round to round; returns ours / theirs. */
async function compare(pair: Pair): Promise<number> {
  await request(pair.ourUrl);
  await request(pair.theirUrl);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    if (round % 2 === 1) theirs.push(await request(pair.theirUrl));
    ours.push(await request(pair.ourUrl));
    if (round % 2 === 0) theirs.push(await request(pair.theirUrl));
  }
  const ratio = median(ours) / median(theirs);
  const times = `${median(ours).toFixed(1)} / ${median(theirs).toFixed(1)} ms`.padStart(19);
  console.log(`${pair.name.padEnd(28)} ${times}  ${ratio.toFixed(2)}`);
  return ratio;
}

async function run(temporary: string): Promise<void> {
  const sources = (await loadBenchSources())
    .filter(({ kind }) => kind === "photo" || kind === "jpeg");
  await using service = await startService({
    command: "dev",
    dataDir: `${temporary}/data`,
    env: NO_CACHES,
  });
  await using ipx = await startIpx(temporary);
  const ratios: number[] = [];
  console.log(`source, format, Facet / ipx (medians of ${ROUNDS}), ratio`);
  for (const [index, source] of sources.entries()) {
    await Deno.writeFile(`${temporary}/${index}.jpg`, source.bytes);
    const hash = await upload(service, source);
    for (const format of ["webp", "jpg"]) {
      const modifiers = `s_${WIDTH}x${HEIGHT},fit_cover,f_${format},q_80`;
      const ratio = await compare({
        name: `${source.name} ${format}`,
        ourUrl: `${service.origin}/${hash}/${WIDTH}x${HEIGHT}/80.${format}`,
        theirUrl: `${ipx.origin}/${modifiers}/${index}.jpg`,
      });
      ratios.push(ratio);
    }
  }
  console.log(
    `geometric mean ${geometricMean(ratios).toFixed(2)}, worst ${Math.max(...ratios).toFixed(2)}`,
  );
}

const temporary = await Deno.makeTempDir({ prefix: "facet-bench-" });
try {
  await run(temporary);
} finally {
  await Deno.remove(temporary, { recursive: true });
}
