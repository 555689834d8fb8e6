// deno-lint-ignore-file no-console -- a benchmark prints
/**
 * The service under mixed traffic, under overload, and among clients that are slow on purpose.
 *
 *     deno run -A bench/load.ts [--seconds 60] [--rate 100] [--only mixed,overload,slow]
 *         [--set RENDER_NICENESS=0]…
 *
 * `--seconds 300` is the long run, `--set` configures the service otherwise than by default. Requests are sent at their time whether or not earlier ones have
 * been answered, and latency counts from that time, so a stall shows in full. Client and service
 * share the machine: ratios of one run are what to compare.
 */
import { parseArgs } from "node:util";
import { startSlowClients } from "./load/slow_clients.ts";
import { openLoop, type Outcome, percentile } from "./load/open_loop.ts";
import { createTraffic, readRssMiB, type Traffic } from "./load/traffic.ts";
import { startPostgresCluster } from "../tests/support/postgres_cluster.ts";
import { type ServiceProcess, startService } from "../tests/support/service_process.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    seconds: { type: "string", default: "60" },
    rate: { type: "string", default: "100" },
    set: { type: "string", multiple: true, default: [] },
    only: { type: "string", default: "mixed,overload,slow" },
  },
});
const SECONDS = Number(values.seconds);
const RATE = Number(values.rate);
/** How many requests there are for each cold one. */
const ONE_IN = 20;
const PARTS: Readonly<Record<string, typeof mixed>> = { mixed, overload, slow };

const ADMIN_KEY = "an-admin-key-for-benchmarks";
const dir = await Deno.makeTempDir({ prefix: "facet-load-" });
const cluster = await startPostgresCluster();
try {
  const options = {
    command: "serve",
    dataDir: `${dir}/data`,
    env: {
      FACET_ADMIN_KEY: ADMIN_KEY,
      RENDER_BUDGET: "0",
      ACCESS_LOG: "false",
      ...Object.fromEntries(values.set.map((each) => each.split("="))),
      ...(cluster ? { DATABASE_URL: cluster.url } : {}),
    },
  };
  await using service = await startService(options);
  const traffic = await createTraffic(service.origin, ADMIN_KEY);
  const database = cluster ? "PostgreSQL 15" : "embedded database";
  console.log(
    `Deno ${Deno.version.deno}, ${navigator.hardwareConcurrency} cores, one process, ${database}`,
  );
  for (const name of values.only.split(",")) await PARTS[name](service, traffic);
} finally {
  await cluster?.close();
  await Deno.remove(dir, { recursive: true });
}

function describe(outcomes: readonly Outcome[]): string {
  const times = outcomes.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b);
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => percentile(times, share).toFixed(1));
  return `${String(times.length).padStart(6)} | ${p50.padStart(7)} | ${p95.padStart(7)} | ${
    p99.padStart(7)
  }`;
}

function countStatuses(outcomes: readonly Outcome[]): string {
  const counts = new Map<number, number>();
  for (const { status } of outcomes) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].toSorted(([a], [b]) => a - b).map((each) => each.join(" × ")).join(", ");
}

/** 95 % warm by Zipf, 5 % cold, and one upload a second beside it. */
async function mixed(service: ServiceProcess, traffic: Traffic): Promise<void> {
  const rss: number[] = [];
  const timer = setInterval(async () => rss.push(await readRssMiB(service.pid)), 1_000);
  const uploading = openLoop({ perSecond: 1, seconds: SECONDS }, () => traffic.upload());
  // Exactly one at a random place among twenty: with a coin for each, whether the 95th percentile
  // shows a cold or a warm request would be chance.
  let index = 0;
  let coldAt = 0;
  const asked = await openLoop({ perSecond: RATE, seconds: SECONDS }, () => {
    const place = index++ % ONE_IN;
    if (place === 0) coldAt = Math.floor(Math.random() * ONE_IN);
    return place === coldAt ? traffic.cold() : traffic.warm();
  });
  const uploads = await uploading;
  clearInterval(timer);
  const errors = [...asked, ...uploads].filter(({ status }) => status !== 200 && status !== 201);
  console.log(`\nmixed: ${RATE} requests/s for ${SECONDS} s, 5 % cold, 1 upload/s`);
  console.log("what    |  count |  p50 ms |  p95 ms |  p99 ms");
  console.log(`all     | ${describe(asked)}`);
  for (const kind of ["warm", "cold"]) {
    console.log(`${kind}    | ${describe(asked.filter((each) => each.kind === kind))}`);
  }
  console.log(`uploads | ${describe(uploads)}`);
  console.log(`errors: ${errors.length} ${countStatuses(errors)}`);
  const tenths = Array.from({ length: 10 }, (_, tenth) => {
    const part = rss.slice(tenth * rss.length / 10, (tenth + 1) * rss.length / 10);
    return part.length === 0
      ? "–"
      : (part.reduce((sum, each) => sum + each, 0) / part.length).toFixed(0);
  });
  console.log(
    `RSS MiB, mean of each tenth: ${tenths.join(" ")}; highest ${Math.max(...rss).toFixed(0)}; ` +
      `second half ${formatTrend(rss.slice(rss.length / 2))} MiB/min`,
  );
}

/** The slope, by least squares, of values that were taken once a second; per minute. */
function formatTrend(perSecond: readonly number[]): string {
  const middle = (perSecond.length - 1) / 2;
  let covariance = 0;
  let variance = 0;
  for (const [second, value] of perSecond.entries()) {
    covariance += (second - middle) * value;
    variance += (second - middle) ** 2;
  }
  const perMinute = 60 * covariance / variance;
  return `${perMinute < 0 ? "−" : "+"}${Math.abs(perMinute).toFixed(1)}`;
}

/** Cold variants at three times what the service can render, with warm ones beside them. */
async function overload(_service: ServiceProcess, traffic: Traffic): Promise<void> {
  const measureMs = 5_000;
  let rendered = 0;
  const until = performance.now() + measureMs;
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (; performance.now() < until; rendered++) await traffic.cold();
  }));
  const capacity = rendered / (measureMs / 1000);
  const rate = Math.ceil(capacity * 3);
  const colds = openLoop({ perSecond: rate, seconds: 15 }, () => traffic.cold());
  const warm = await openLoop({ perSecond: 50, seconds: 15 }, () => traffic.warm());
  const stoppedMs = performance.now();
  let recoveredMs = Infinity;
  while (recoveredMs === Infinity && performance.now() - stoppedMs < 30_000) {
    const one = await traffic.cold();
    if (one.status === 200 && one.tookMs < 1_000) recoveredMs = performance.now() - stoppedMs;
  }
  console.log(`\noverload: capacity ${capacity.toFixed(0)} renders/s, asked for ${rate}/s`);
  console.log("what    |  count |  p50 ms |  p95 ms |  p99 ms");
  console.log(`warm    | ${describe(warm)} | ${countStatuses(warm)}`);
  const cold = await colds;
  console.log(`cold    | ${describe(cold)} | ${countStatuses(cold)}`);
  console.log(`recovered after ${(recoveredMs / 1000).toFixed(1)} s`);
}

/** 200 clients that send, or read, next to nothing. */
async function slow(service: ServiceProcess, traffic: Traffic): Promise<void> {
  const measure = () => openLoop({ perSecond: 100, seconds: 10 }, () => traffic.warm());
  const alone = await measure();
  const rssBefore = await readRssMiB(service.pid);
  const clients = await startSlowClients(service.origin, {
    count: 200,
    path: traffic.warmPaths[0],
    adminKey: ADMIN_KEY,
  });
  // What they ask for at first is traffic like any other; what follows is their slowness.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const among = await measure();
  const rssAmong = await readRssMiB(service.pid);
  console.log("\nslow clients: 200, a third each with headers, bodies and reading that never end");
  console.log("what    |  count |  p50 ms |  p95 ms |  p99 ms");
  console.log(`alone   | ${describe(alone)} | ${countStatuses(alone)}`);
  console.log(`among   | ${describe(among)} | ${countStatuses(among)}`);
  console.log(`RSS MiB: ${rssBefore.toFixed(0)} alone, ${rssAmong.toFixed(0)} among`);
  await new Promise((resolve) => setTimeout(resolve, 35_000));
  console.log(`still connected after 48 s: ${JSON.stringify(clients.connected())}`);
  clients.close();
}
