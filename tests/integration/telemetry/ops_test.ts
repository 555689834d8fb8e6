/** What `ops/` says about the service, against what the running service says of itself. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { dirname, fromFileUrl, join } from "../../support/paths.ts";
import { listMetricNames } from "../../support/promql.ts";
import { hasPromtool, runPromtool } from "../../support/promtool.ts";
import { type ServiceProcess, startService } from "../../support/service_process.ts";

const ops = join(dirname(fromFileUrl(import.meta.url)), "..", "..", "..", "ops");
const rulesFile = join(ops, "prometheus", "rules.yml");
const ADMIN_KEY = "an-admin-key-for-tests";
const AUTHORIZED = { authorization: `Bearer ${ADMIN_KEY}` };

/** Promtool would name these otherwise; the names are what dashboards have been told. */
const KNOWN_REMARKS = [
  /^\w+_ms metric names should not contain abbreviated units$/,
  /^mismatch_count non-histogram and non-summary metrics should not have "_count" suffix$/,
];

Deno.test("promtool accepts the alert rules, and they fire when they should", async () => {
  if (!await hasPromtool()) return;
  const checked = await runPromtool(["check", "rules", rulesFile]);
  assert.equal(checked.code, 0, checked.output);
  const tested = await runPromtool(["test", "rules", join(ops, "prometheus", "rules_test.yml")]);
  assert.equal(tested.code, 0, tested.output);
  const alerts = names(await Deno.readTextFile(rulesFile), /- alert: (\w+)/g);
  const exercised = names(
    await Deno.readTextFile(join(ops, "prometheus", "rules_test.yml")),
    /alertname: (\w+)/g,
  );
  assert.deepEqual(exercised, alerts);
});

Deno.test("the running service emits every metric that a rule or the dashboard names", async () => {
  await using service = await startWorld();
  await makeTraffic(service);
  const text = await scrape(service);
  const emitted = new Set(text.match(/^[a-zA-Z_:][\w:]*/gm));
  const queries = [...await readRuleQueries(), ...await readDashboardQueries()];
  assert.ok(queries.length > 20, "too few queries were found");
  const unknown = queries.flatMap((query) =>
    listMetricNames(query).filter((name) => !emitted.has(name)).map((name) => `${name}: ${query}`)
  );
  assert.deepEqual(unknown, []);
  if (!await hasPromtool()) return;
  const { code, output } = await runPromtool(["check", "metrics"], text);
  // 3 is for remarks on style; text that does not parse is 1.
  assert.ok(code === 0 || code === 3, output);
  const remarks = output.split("\n").filter((line) =>
    line !== "" && !KNOWN_REMARKS.some((remark) => remark.test(line))
  );
  assert.deepEqual(remarks, []);
});

interface World extends ServiceProcess {
  readonly dataDir: string;
}

async function startWorld(): Promise<World> {
  const dataDir = await Deno.makeTempDir({ prefix: "facet-ops-" });
  const service = await startService({
    command: "dev",
    dataDir,
    env: { FACET_ADMIN_KEY: ADMIN_KEY },
  });
  return {
    ...service,
    dataDir,
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      await Deno.remove(dataDir, { recursive: true });
    },
  };
}

/** Everything that some metric is about: uploads, renders, hits, problems, failures, jobs. */
async function makeTraffic({ origin, dataDir }: World): Promise<void> {
  const { contentHash: hash } = await (await fetch(`${origin}/v1/assets`, {
    method: "POST",
    headers: AUTHORIZED,
    body: await Deno.readFile(`${dataDir}/sample.png`),
  })).json();
  for (let times = 0; times < 2; times++) {
    assert.equal(await statusOf(`${origin}/${hash}/320x240/80.webp`), 200);
  }
  assert.equal(await statusOf(`${origin}/${hash}/641x480/80.webp`), 403);
  {
    // Who holds the file's write lock makes every write to the shared cache fail.
    using lock = lockKv(`${dataDir}/kv.sqlite3`);
    assert.ok(lock);
    assert.equal(await statusOf(`${origin}/${hash}/320x240/85.webp`), 200);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
  }
  const run = await fetch(`${origin}/v1/admin/reconcile`, {
    method: "POST",
    headers: { ...AUTHORIZED, "content-type": "application/json" },
    body: "{}",
  });
  assert.ok(run.ok, await run.text());
}

function lockKv(path: string): Disposable {
  const file = new DatabaseSync(path);
  file.exec("pragma busy_timeout = 5000");
  file.exec("begin immediate");
  return {
    [Symbol.dispose]() {
      file.exec("rollback");
      file.close();
    },
  };
}

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url);
  await response.bytes();
  return response.status;
}

/** Runs of jobs end by themselves: waits until their gauges are there, for at most a minute. */
async function scrape({ origin }: ServiceProcess): Promise<string> {
  for (let tries = 0;; tries++) {
    const text = await (await fetch(`${origin}/metrics`)).text();
    if (/^drift_ratio /m.test(text) || tries >= 240) return text;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

function names(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map((match) => match[1]))].toSorted();
}

async function readRuleQueries(): Promise<string[]> {
  const text = await Deno.readTextFile(rulesFile);
  return [...text.matchAll(/^\s*expr: (.*)$/gm)].map((match) => match[1]);
}

async function readDashboardQueries(): Promise<string[]> {
  const text = await Deno.readTextFile(join(ops, "grafana", "facet.json"));
  const { panels } = JSON.parse(text) as { panels: { targets: { expr: string }[] }[] };
  return panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
}
