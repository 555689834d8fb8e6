/** The service as a process, with something that can fail between it and all it depends on. */
import assert from "node:assert/strict";
import { be32, bytesOf, chunk } from "./image_builder.ts";
import { deflateSync } from "node:zlib";
import { type FaultProxy, startFaultProxy } from "./fault_proxy.ts";
import { type HttpFaultProxy, startHttpFaultProxy } from "./http_fault_proxy.ts";
import { type PostgresCluster, startPostgresCluster } from "./postgres_cluster.ts";
import { runToEnd, type ServiceProcess, startService } from "./service_process.ts";
import { startTinyS3 } from "./tiny_s3.ts";

const ADMIN_KEY = "an-admin-key-for-tests";

/** Longest time that a request may take while something is down. Milliseconds. */
export const BOUND_MS = 15_000;
/** Longest time of a warm variant: far below the bound, and above a busy machine's hiccups. */
const WARM_MS = 3_000;
/** Within this time of healing everything works again. Milliseconds. */
const RECOVERY_MS = 10_000;

/** How long a busy machine may need to fill the shared cache. Milliseconds. */
const SHARED_WITHIN_MS = 60_000;

/** An answer, and how long it took. */
export interface TimedReply {
  readonly status: number;
  readonly cache: string | null;
  readonly retryAfter: string | null;
  readonly text: string;
  readonly tookMs: number;
}

/** What a test breaks, and how it looks at the result. */
export interface DegradationWorld {
  readonly cluster: PostgresCluster;
  /** In front of Postgres. */
  readonly postgres: FaultProxy;
  /** In front of the object store. */
  readonly storage: HttpFaultProxy;
  readonly service: ServiceProcess;
  readonly kvPath: string;
  /** Asks the service; a path that is the next variant nobody has asked for, if none is given. */
  get(path: string): Promise<TimedReply>;
  upload(): Promise<TimedReply>;
  /** A path that was delivered before. */
  readonly warmPath: string;
  /** A variant of a known asset that nobody has asked for. */
  nextColdPath(): string;
  /** A second instance beside the first, with the same dependencies and an empty memory. */
  startAnother(): Promise<ServiceProcess>;
  /** Asks any instance. */
  ask(instance: ServiceProcess, path: string): Promise<TimedReply>;
  /** Waits until the shared cache, which is filled beside the answers, holds so many variants. */
  expectShared(count: number): Promise<void>;
  /** Status of each dependency, as `/readyz` says. */
  readiness(): Promise<{ readonly status: number; readonly down: readonly string[] }>;
  /** Waits until uploads, cold variants and readiness are as before; fails after ten seconds. */
  expectRecovery(): Promise<void>;
}

/** Runs `work`; not at all where there is no PostgreSQL. */
export async function withDegradation(
  work: (world: DegradationWorld) => Promise<void>,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const cluster = await startPostgresCluster();
  if (!cluster) return;
  const dir = await Deno.makeTempDir({ prefix: "facet-degradation-" });
  await using s3 = startTinyS3();
  await using postgres = startFaultProxy(cluster.port);
  const storage = startHttpFaultProxy(s3.url);
  try {
    const options = {
      command: "serve",
      dataDir: `${dir}/data`,
      env: {
        FACET_ENV: "production",
        FACET_HOST: "127.0.0.1",
        DATABASE_URL: cluster.url.replace(`:${cluster.port}`, `:${postgres.port}`),
        DATABASE_POOL_SIZE: "2",
        DATABASE_CONNECT_TIMEOUT: "1s",
        DATABASE_STATEMENT_TIMEOUT: "1s",
        S3_ENDPOINT: storage.url,
        S3_BUCKET: s3.bucket,
        S3_REGION: "us-east-1",
        S3_ACCESS_KEY_ID: "id",
        S3_SECRET_ACCESS_KEY: "a-secret-for-tests",
        STORAGE_TIMEOUT: "1s",
        DENO_KV_URL: `${dir}/kv.sqlite3`,
        FACET_ADMIN_KEY: ADMIN_KEY,
        RENDER_WORKERS: "1",
        RENDER_BUDGET: "0",
        ...more,
      },
    };
    const migrated = await runToEnd({ ...options, command: "migrate" });
    assert.equal(migrated.code, 0, migrated.output);
    await using service = await startService(options);
    const kvPath = `${dir}/kv.sqlite3`;
    const startAnother = () => startService({ ...options, dataDir: `${dir}/another` });
    await work(await prepare({ cluster, postgres, storage, service, kvPath, startAnother }));
  } finally {
    await storage.close();
    await cluster.close();
    await Deno.remove(dir, { recursive: true });
  }
}

type Parts = Pick<
  DegradationWorld,
  "cluster" | "postgres" | "storage" | "service" | "kvPath" | "startAnother"
>;

async function prepare(parts: Parts): Promise<DegradationWorld> {
  const { origin } = parts.service;
  let seed = 0;
  let cold = 0;

  async function ask(
    path: string,
    init: RequestInit & { readonly origin?: string } = {},
  ): Promise<TimedReply> {
    const startedMs = performance.now();
    const response = await fetch((init.origin ?? origin) + path, init);
    const bytes = await response.bytes();
    const isImage = response.headers.get("content-type")?.startsWith("image/");
    return {
      status: response.status,
      cache: response.headers.get("x-cache"),
      retryAfter: response.headers.get("retry-after"),
      text: isImage ? `${bytes.length} bytes of an image` : new TextDecoder().decode(bytes),
      tookMs: performance.now() - startedMs,
    };
  }

  const world: DegradationWorld = {
    ...parts,
    warmPath: "",
    get: (path) => ask(path),
    upload: () =>
      ask("/v1/assets", {
        method: "POST",
        headers: { authorization: `Bearer ${ADMIN_KEY}` },
        body: makePng(++seed),
      }),
    nextColdPath: () => "",
    ask: (instance, path) => ask(path, { origin: instance.origin }),
    async expectShared(count) {
      const kv = await Deno.openKv(parts.kvPath);
      try {
        for (const deadline = performance.now() + SHARED_WITHIN_MS;;) {
          const names = new Set<unknown>();
          for await (const { key } of kv.list({ prefix: ["facet", "variant"] })) names.add(key[4]);
          if (names.size >= count) return;
          assert.ok(performance.now() < deadline, `the shared cache holds ${names.size} variants`);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      } finally {
        kv.close();
      }
    },
    async readiness() {
      const { status, text } = await ask("/readyz");
      const { dependencies } = JSON.parse(text) as {
        dependencies: Record<string, { status: string }>;
      };
      const down = Object.entries(dependencies).filter(([, each]) => each.status !== "up");
      return { status, down: down.map(([name, each]) => `${name} ${each.status}`) };
    },
    async expectRecovery() {
      const deadline = performance.now() + RECOVERY_MS;
      const path = this.nextColdPath();
      for (let last = "";;) {
        const cold = await this.get(path);
        const [upload, ready] = [await this.upload(), await this.readiness()];
        if (cold.status === 200 && upload.status === 201 && ready.down.length === 0) return;
        last = JSON.stringify({ cold: cold.status, upload: upload.text, ready });
        assert.ok(performance.now() < deadline, `no recovery within ten seconds: ${last}`);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    },
  };
  const uploaded = await world.upload();
  assert.equal(uploaded.status, 201, uploaded.text);
  const hash = JSON.parse(uploaded.text).contentHash;
  const warmPath = `/${hash}/320x240/80.webp`;
  assert.equal((await ask(warmPath)).cache, "MISS");
  // No PNG: its quality changes nothing, so that all of one size are one variant.
  const colds = [320, 640].flatMap((width) =>
    [240, 480].flatMap((height) =>
      [50, 60, 70, 75, 85, 90, 95].flatMap((quality) =>
        ["jpg", "webp"].map((format) => `/${hash}/${width}x${height}/${quality}.${format}`)
      )
    )
  );
  return { ...world, warmPath, nextColdPath: () => colds[cold++ % colds.length] };
}

/** What must hold of every refusal: 503, told when to come again, in bounded time. */
export function assertRefused(reply: TimedReply): void {
  assert.equal(reply.status, 503, reply.text);
  assert.ok(Number(reply.retryAfter) >= 1, "there is no Retry-After");
  assert.ok(reply.tookMs < BOUND_MS, `it took ${reply.tookMs.toFixed(0)} ms`);
}

/** What must hold whatever is down: a variant in memory is served, and at once. */
export async function assertWarm(world: DegradationWorld): Promise<void> {
  const reply = await world.get(world.warmPath);
  assert.deepEqual([reply.status, reply.cache], [200, "MEMORY"], reply.text);
  assert.ok(reply.tookMs < WARM_MS, `a warm variant took ${reply.tookMs.toFixed(0)} ms`);
}

/** A picture that is different for every seed. */
function makePng(seed: number): Uint8Array<ArrayBuffer> {
  const [width, height] = [64, 48];
  const rowBytes = width * 3 + 1;
  const rows = new Uint8Array(rowBytes * height);
  for (let at = 0; at < rows.length; at++) if (at % rowBytes > 0) rows[at] = (at * seed) >> 3;
  const parts = [
    bytesOf(0x89, "PNG\r\n", 0x1a, "\n"),
    chunk("IHDR", be32(width), be32(height), 8, 2, 0, 0, 0),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND"),
    bytesOf(`trailer ${seed}`),
  ];
  return new Uint8Array(parts.flatMap((part) => [...part]));
}
