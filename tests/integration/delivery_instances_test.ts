/**
 * Several instances of the service, as processes, over one catalog, one object store and one KV
 * file: what they render once, and what they still answer when one of them dies.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";
import { memorySource } from "../../src/core/image_header/byte_source.ts";
import { probeImage } from "../../src/core/image_header/probe_image.ts";
import { be32, bytesOf, chunk } from "../support/image_builder.ts";
import { startPostgresCluster } from "../support/postgres_cluster.ts";
import { runToEnd, type ServiceProcess, startService } from "../support/service_process.ts";
import { waitUntil } from "../support/wait_until.ts";

const ADMIN_KEY = "an-admin-key-for-tests";

interface World {
  readonly instances: ServiceProcess[];
  /** Starts one more instance. */
  start(): Promise<ServiceProcess>;
}

/** Runs `work` with three instances; not at all where there is no PostgreSQL to share. */
async function withInstances(work: (world: World) => Promise<void>): Promise<void> {
  const cluster = await startPostgresCluster();
  if (!cluster) return;
  const dir = await Deno.makeTempDir({ prefix: "facet-instances-" });
  const instances: ServiceProcess[] = [];
  const options = {
    command: "serve",
    dataDir: `${dir}/data`,
    env: {
      DATABASE_URL: cluster.url,
      DENO_KV_URL: `${dir}/kv.sqlite3`,
      FACET_ADMIN_KEY: ADMIN_KEY,
      ACCESS_LOG: "false",
      RENDER_WORKERS: "1",
    },
  };
  const start = async () => {
    const instance = await startService(options);
    instances.push(instance);
    return instance;
  };
  try {
    const migrated = await runToEnd({ ...options, command: "migrate" });
    assert.equal(migrated.code, 0, migrated.output);
    await Promise.all([start(), start(), start()]);
    await work({ instances, start });
  } finally {
    for (const instance of instances) await instance[Symbol.asyncDispose]();
    await cluster.close();
    await Deno.remove(dir, { recursive: true });
  }
}

/** A PNG that is different for every seed. Filter 0; the larger, the longer a render takes. */
function makePng(width: number, height: number, seed: number): Uint8Array<ArrayBuffer> {
  const rowBytes = width * 3 + 1;
  const rows = new Uint8Array(rowBytes * height);
  for (let y = 0; y < height; y++) {
    for (let x = 1; x < rowBytes; x++) rows[y * rowBytes + x] = (x * seed + y * y) >> 4;
  }
  const header = chunk("IHDR", be32(width), be32(height), 8, 2, 0, 0, 0);
  const data = chunk("IDAT", deflateSync(rows, { level: 1 }));
  return join([
    bytesOf(0x89, "PNG\r\n", 0x1a, "\n"),
    header,
    data,
    chunk("IEND"),
  ]);
}

function join(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.byteLength;
  }
  return joined;
}

async function upload(service: ServiceProcess, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const response = await fetch(`${service.origin}/v1/assets`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "image/png" },
    body: bytes,
  });
  const asset = await response.json();
  assert.equal(asset.state, "READY", JSON.stringify(asset));
  return asset.contentHash;
}

interface Reply {
  readonly status: number;
  readonly digest: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly cache: string | null;
  readonly lock: string | null;
}

async function get(service: ServiceProcess, path: string): Promise<Reply> {
  const response = await fetch(service.origin + path);
  const bytes = await response.bytes();
  return {
    status: response.status,
    bytes,
    digest: createHash("sha256").update(bytes).digest("hex"),
    cache: response.headers.get("x-cache"),
    lock: response.headers.get("x-cache-lock"),
  };
}

/** Comes again while it is told to, as a busy machine may answer to 150 requests at once. */
async function getInTheEnd(service: ServiceProcess, path: string): Promise<Reply> {
  let reply: Reply | undefined;
  await waitUntil(async () => {
    reply = await get(service, path);
    return reply.status !== 503;
  });
  assert.equal(reply?.status, 200, new TextDecoder().decode(reply?.bytes));
  return reply!;
}

/** What the instances say went wrong with KV, for the message of a failed assertion. */
async function describeCacheErrors(instances: readonly ServiceProcess[]): Promise<string> {
  const texts = await Promise.all(
    instances.map(async ({ origin }) =>
      (await (await fetch(`${origin}/metrics`)).text()).match(/^cache_errors_total.*$/gm)
    ),
  );
  return `cache errors by instance: ${JSON.stringify(texts)}`;
}

async function countRenders(instances: readonly ServiceProcess[]): Promise<number> {
  const counts = await Promise.all(instances.map(async ({ origin }) => {
    const text = await (await fetch(`${origin}/metrics`)).text();
    return Number(/^variant_renders_total(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1] ?? 0);
  }));
  return counts.reduce((sum, count) => sum + count, 0);
}

Deno.test("three instances render a variant once for 500 requests at once, and none after a restart", async () => {
  await withInstances(async ({ instances, start }) => {
    const hash = await upload(instances[0], makePng(1600, 1200, 3));
    const path = `/${hash}/640x480/80.webp`;
    const replies = await Promise.all(
      Array.from({ length: 500 }, (_, index) => get(instances[index % 3], path)),
    );
    assert.deepEqual([...new Set(replies.map(({ status }) => status))], [200]);
    assert.equal(new Set(replies.map(({ digest }) => digest)).size, 1);
    assert.equal(replies.filter(({ lock }) => lock === "leader").length, 1);
    assert.equal(await countRenders(instances), 1);
    for (const instance of instances) await instance.stop("SIGKILL");
    const restarted = await start();
    const reply = await get(restarted, path);
    assert.equal(reply.cache, "KV");
    assert.equal(reply.digest, replies[0].digest);
    assert.equal(await countRenders([restarted]), 0);
  });
});

Deno.test("three instances answer at most one render later when the leader is killed at its render", async () => {
  await withInstances(async ({ instances }) => {
    const [leader, ...others] = instances;
    const hash = await upload(leader, makePng(6000, 4500, 5));
    const path = `/${hash}/640x480/80.webp`;
    const lost = get(leader, path).then(() => "answered", () => "lost");
    await waitUntil(async () => {
      const text = await (await fetch(`${leader.origin}/metrics`)).text();
      return Number(/^inflight_megapixels(?:\{[^}]*\})? ([\d.]+)/m.exec(text)?.[1] ?? 0) > 0;
    });
    const waiting = Promise.all(
      Array.from({ length: 60 }, (_, index) => get(others[index % 2], path)),
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    await leader.stop("SIGKILL");
    assert.equal(await lost, "lost", "the render was over before the leader was killed");
    const replies = await waiting;
    assert.deepEqual([...new Set(replies.map(({ status }) => status))], [200]);
    assert.equal(new Set(replies.map(({ digest }) => digest)).size, 1);
    // The dead leader's render and one more.
    assert.equal(await countRenders(others), 1);
  });
});

Deno.test("three instances never swap the bytes of 50 variants rendered in parallel", async () => {
  await withInstances(async ({ instances }) => {
    const hash = await upload(instances[0], makePng(800, 600, 7));
    const sizes = [[320, 240], [320, 480], [640, 240], [640, 480], [1024, 240]];
    const variants = sizes.flatMap(([width, height]) =>
      [50, 60, 70, 80, 90].flatMap((quality) =>
        ["webp", "jpg"].map((format) => ({ width, height, quality, format }))
      )
    );
    assert.equal(variants.length, 50);
    const replies = await Promise.all(
      variants.map(({ width, height, quality, format }) =>
        Promise.all(
          instances.map((instance) =>
            getInTheEnd(instance, `/${hash}/${width}x${height}/${quality}.${format}`)
          ),
        )
      ),
    );
    for (const [index, [first, ...rest]] of replies.entries()) {
      const { width, height, format } = variants[index];
      for (const reply of rest) assert.equal(reply.digest, first.digest);
      const facts = await probeImage(memorySource(first.bytes));
      assert.equal(facts?.format, format === "jpg" ? "jpeg" : format);
      assert.deepEqual([facts?.width, facts?.height], [width, height]);
    }
    assert.equal(new Set(replies.map(([first]) => first.digest)).size, 50);
    assert.equal(await countRenders(instances), 50, await describeCacheErrors(instances));
  });
});

Deno.test("three instances forget the old crop within seconds when one moves the focal point", async () => {
  await withInstances(async ({ instances }) => {
    const png = makePng(1200, 600, 9);
    const hash = await upload(instances[0], png);
    const { assetId } = await (await fetch(`${instances[0].origin}/v1/assets/${hash}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "image/png" },
      body: png,
    })).json();
    const path = `/${hash}/320x480/80.webp`;
    const before = await Promise.all(instances.map((instance) => get(instance, path)));
    const patch = await fetch(`${instances[1].origin}/v1/assets/${assetId}`, {
      method: "PATCH",
      headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ focalPoint: { x: 0, y: 0.5 } }),
    });
    assert.equal(patch.status, 200, await patch.clone().text());
    assert.equal((await patch.json()).purges[0].complete, true);
    assert.notEqual((await get(instances[1], path)).digest, before[1].digest);
    for (const instance of instances) {
      await waitUntil(async () => (await get(instance, path)).digest !== before[0].digest);
    }
    const after = await Promise.all(instances.map((instance) => get(instance, path)));
    assert.equal(new Set(after.map(({ digest }) => digest)).size, 1);
    assert.equal(await countRenders(instances), 2);
  });
});

Deno.test("three instances answer 410 within seconds when an asset is deleted on one", async () => {
  await withInstances(async ({ instances }) => {
    const png = makePng(400, 300, 11);
    const hash = await upload(instances[0], png);
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    const described = await fetch(`${instances[0].origin}/v1/assets/${hash}`, { headers });
    const { assetId } = await described.json();
    const path = `/${hash}/320x240/80.webp`;
    for (const instance of instances) assert.equal((await get(instance, path)).status, 200);
    const deleted = await fetch(`${instances[2].origin}/v1/assets/${assetId}`, {
      method: "DELETE",
      headers,
    });
    await deleted.body?.cancel();
    assert.ok(deleted.ok, String(deleted.status));
    for (const instance of instances) {
      await waitUntil(async () => (await get(instance, path)).status === 410);
      assert.equal((await get(instance, `/${hash}`)).status, 410);
    }
  });
});
