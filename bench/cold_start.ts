// deno-lint-ignore-file no-console -- a benchmark prints
/**
 * From starting the process to the first 200 of `/healthz`, with external services configured, and
 * beside it the least that a Deno process with a server needs.
 *
 *     deno run -A bench/cold_start.ts [--rounds 9]
 */
import { parseArgs } from "node:util";
import { findFreePort } from "../tests/support/postgres_cluster.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: { rounds: { type: "string", default: "9" } },
});

const dir = await Deno.makeTempDir({ prefix: "facet-start-" });
const bare = `${dir}/bare.ts`;
await Deno.writeTextFile(
  bare,
  `Deno.serve({ port: Number(Deno.env.get("PORT")), hostname: "127.0.0.1" }, () => new Response("ok"));`,
);

/** Milliseconds until the process answers. */
async function measure(script: string): Promise<number> {
  const port = findFreePort();
  const nowhere = findFreePort();
  const startedMs = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", "--cached-only", script],
    env: {
      PORT: String(port),
      FACET_ENV: "production",
      FACET_HOST: "127.0.0.1",
      FACET_ADMIN_KEY: "an-admin-key-for-benchmarks",
      DATABASE_URL: `postgres://facet:secret@127.0.0.1:${nowhere}/facet`,
      S3_ENDPOINT: `http://127.0.0.1:${nowhere}`,
      S3_BUCKET: "facet",
      S3_REGION: "us-east-1",
      S3_ACCESS_KEY_ID: "id",
      S3_SECRET_ACCESS_KEY: "a-secret-for-benchmarks",
      DENO_KV_URL: `${dir}/kv.sqlite3`,
    },
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    for (;;) {
      const response = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null);
      await response?.body?.cancel();
      if (response?.ok) return performance.now() - startedMs;
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

try {
  const times = { bare: [] as number[], facet: [] as number[] };
  // The first start fills the disk cache, and is nobody's fault.
  await measure("main.ts");
  for (let round = 0; round < Number(values.rounds); round++) {
    times.bare.push(await measure(bare));
    times.facet.push(await measure("main.ts"));
  }
  console.log(
    `Deno ${Deno.version.deno}, ${values.rounds} starts each, external services configured`,
  );
  console.log("what             | median ms | fastest ms | slowest ms");
  for (const [name, all] of Object.entries(times)) {
    const figures = [median(all), Math.min(...all), Math.max(...all)].map((each) =>
      each.toFixed(0)
    );
    console.log(
      `${name.padEnd(16)} | ${figures[0].padStart(9)} | ${figures[1].padStart(10)} | ${
        figures[2].padStart(10)
      }`,
    );
  }
} finally {
  await Deno.remove(dir, { recursive: true });
}
