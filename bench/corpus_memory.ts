// deno-lint-ignore-file no-console -- a benchmark prints
/**
 * The whole corpus through one running service: every file is uploaded and asked for as a variant,
 * one after the other, and the service has to answer each in bounded time with something that is no
 * failure of its own, within 512 MB. Where a control group can be made the kernel enforces that.
 *
 *     deno run -A bench/corpus_memory.ts
 *
 * Needs the shared test data and PostgreSQL 15. Resident memory is the kernel's own account.
 */
import { hash } from "node:crypto";
import { readdirSync } from "node:fs";
import { startPostgresCluster } from "../tests/support/postgres_cluster.ts";
import { runToEnd, startService } from "../tests/support/service_process.ts";
import { sharedDataDir } from "../tests/support/shared_data.ts";
import { openMemoryCgroup } from "./memory_cgroup.ts";

const KEY = "corpus-admin-key-000000";
const BUDGET_MB = 512;

const data = sharedDataDir();
const cluster = await startPostgresCluster();
if (data === null || !cluster) throw new Error("Needs the shared test data and PostgreSQL 15");
const dataDir = await Deno.makeTempDir();
const env = {
  DATABASE_URL: cluster.url,
  FACET_ADMIN_KEY: KEY,
  ACCESS_LOG: "false",
  DENO_KV_URL: "none",
  RENDER_BUDGET: "0",
};
const group = openMemoryCgroup(BUDGET_MB * 1_000_000);
try {
  await runToEnd({ command: "migrate", dataDir, env });
  const start = () => startService({ command: "serve", dataDir, env });
  await using service = await (group ? group.spawnInside(start) : start());
  const statuses = new Map<number, number>();
  let slowest = { ms: 0, path: "" };
  const files = listFiles(data);
  for (const path of files) {
    const bytes = Deno.readFileSync(path);
    const startedAt = performance.now();
    await upload(service.origin, bytes);
    const url = `${service.origin}/${hash("sha256", bytes)}/640x480/80.webp`;
    const response = await fetch(url);
    await response.arrayBuffer();
    const ms = performance.now() - startedAt;
    if (ms > slowest.ms) slowest = { ms, path: path.slice(data.length + 1) };
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
  }
  const peakMb = readKilobytes(service.pid, "VmHWM") / 1000;
  const answers = [...statuses].sort(([a], [b]) => a - b)
    .map(([status, count]) => `${count} × ${status}`).join(", ");
  console.log(`${files.length} files: ${answers}`);
  console.log(`slowest ${Math.round(slowest.ms)} ms: ${slowest.path}`);
  console.log(
    `resident ${Math.round(readKilobytes(service.pid, "VmRSS") / 1000)} MB, ` +
      `peak ${Math.round(peakMb)} MB of ${BUDGET_MB} MB`,
  );
  if (peakMb > BUDGET_MB) console.log("OVER THE BUDGET");
} finally {
  if (group) {
    console.log(
      `control group of ${BUDGET_MB} MB: at most ${Math.round(group.peakBytes() / 1e6)} MB held, ` +
        `page cache included; ${group.kills()} processes killed`,
    );
  }
  await cluster.close();
  await Deno.remove(dataDir, { recursive: true });
  await group?.close();
}

async function upload(origin: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const response = await fetch(`${origin}/v1/assets`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}` },
    body: bytes,
  });
  await response.body?.cancel();
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\.(md|tsv)$/.test(entry.name))
    .map((entry) => `${entry.parentPath}/${entry.name}`).toSorted();
}

function readKilobytes(pid: number, name: string): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]);
}
