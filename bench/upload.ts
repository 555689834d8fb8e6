// deno-lint-ignore-file no-console
/**
 * Uploads a large body to the service as a process of its own, and prints by how much its resident
 * memory grew and how its speed compares, in the same run, with plain hash-and-write: in a loop
 * without a network, and in a bare server that does nothing else with the body. Linux only.
 *
 *     deno run -A bench/upload.ts                        # 1 GiB to disk, three rounds
 *     deno run -A bench/upload.ts --mib=256 --rounds=1
 *     deno run -A bench/upload.ts --store=s3             # gateway named by TEST_S3_…
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createS3ObjectStore, ensureBucket } from "../src/adapters/s3/s3_object_store.ts";
import { writeMultipart } from "../src/core/multipart_writer.ts";
import { readKeys } from "../tests/support/invariants.ts";
import { findTestS3, type TestS3 } from "../tests/support/test_s3.ts";
import { startService } from "../tests/support/service_process.ts";

const MIB = 1024 * 1024;
const KEY = "bench_key_0123456789abcdef";

if (readFlag("bare") !== undefined) await serveBare(readFlag("bare")!);

const mib = Number(readFlag("mib") ?? 1024);
const rounds = Number(readFlag("rounds") ?? 3);
const store = readFlag("store") ?? "disk";

/** What one upload was like. */
interface Measured {
  readonly seconds: number;
  readonly grownMib: number;
}

const s3 = store === "s3" ? await makeBucket() : null;
const folder = await Deno.makeTempDir({ prefix: "facet-bench-" });
try {
  await using service = await startService({
    command: "dev",
    dataDir: `${folder}/data`,
    env: {
      FACET_ADMIN_KEY: KEY,
      MAX_UPLOAD_SIZE: "8GiB",
      ACCESS_LOG: "false",
      ...storeEnv(s3),
    },
  });
  // On a virtual machine the first use of a page of memory costs more than all the rest: everyone
  // gets pages that were in use before.
  await upload(service, mib * MIB, true);
  using bare = await startBare();
  const ratios: number[] = [];
  const bareRatios: number[] = [];
  const growths: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const plain = await hashAndWrite(mib * MIB);
    const { seconds: bareSeconds } = await upload(bare, mib * MIB, true);
    for (const withLength of [true, false]) {
      const { seconds, grownMib } = await upload(service, mib * MIB, withLength);
      ratios.push(plain / seconds);
      bareRatios.push(bareSeconds / seconds);
      growths.push(grownMib);
      console.log(
        `round ${round}, ${withLength ? "with" : "without"} Content-Length: ` +
          `${(mib / seconds).toFixed(0)} MiB/s, ${(plain / seconds).toFixed(2)} × plain ` +
          `(${(mib / plain).toFixed(0)} MiB/s), ${
            (bareSeconds / seconds).toFixed(2)
          } × bare server ` +
          `(${(mib / bareSeconds).toFixed(0)} MiB/s), resident memory +${grownMib.toFixed(0)} MiB`,
      );
    }
  }
  console.log(
    `${mib} MiB to ${store}: median ${median(ratios)} × plain and ${median(bareRatios)} × bare ` +
      `hash-and-write (budget ≥ 0.5), at most +${
        Math.max(...growths).toFixed(0)
      } MiB (budget ≤ 64)`,
  );
} finally {
  await Deno.remove(folder, { recursive: true });
  if (s3 !== null) await emptyBucket(s3);
}

function median(values: readonly number[]): string {
  return values.toSorted((a, b) => a - b)[values.length >> 1].toFixed(2);
}

/** Hashes and writes the body of each request, and nothing else. */
async function serveBare(path: string): Promise<never> {
  const server = Deno.serve({
    hostname: "localhost",
    port: 0,
    onListen: ({ port }) => console.log(port),
  }, async (request) => {
    using file = await Deno.open(path, { write: true, create: true, truncate: true });
    const hash = createHash("sha256");
    let sizeBytes = 0;
    for await (const chunk of request.body!) {
      hash.update(chunk);
      sizeBytes += chunk.byteLength;
      for (let at = 0; at < chunk.byteLength;) at += await file.write(chunk.subarray(at));
    }
    await file.sync();
    await Deno.remove(path);
    return Response.json({ hash: hash.digest("hex"), "sizeBytes": sizeBytes }, { status: 201 });
  });
  await server.finished;
  Deno.exit();
}

async function startBare() {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL(import.meta.url).pathname, `--bare=${folder}/bare`],
    stdout: "piped",
    stdin: "null",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const port = Number(new TextDecoder().decode(value));
  reader.releaseLock();
  return {
    origin: `http://localhost:${port}`,
    pid: child.pid,
    [Symbol.dispose]: () => child.kill("SIGKILL"),
  };
}

async function makeBucket(): Promise<TestS3> {
  const found = findTestS3();
  assert.ok(found, "TEST_S3_ENDPOINT and its companions name the gateway");
  const bucket = { ...found, bucket: `facet-bench-${crypto.randomUUID()}` };
  await ensureBucket(bucket);
  return bucket;
}

async function emptyBucket(bucket: TestS3): Promise<void> {
  const objects = createS3ObjectStore(bucket);
  await objects.deleteMany(await readKeys(objects, ""));
  await objects.close();
}

function storeEnv(bucket: TestS3 | null): Record<string, string> {
  if (bucket === null) return {};
  return {
    S3_ENDPOINT: bucket.endpoint,
    S3_BUCKET: bucket.bucket,
    S3_REGION: bucket.region,
    S3_ACCESS_KEY_ID: bucket.accessKeyId,
    S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
  };
}

async function upload(
  service: { readonly origin: string; readonly pid: number },
  sizeBytes: number,
  withLength: boolean,
): Promise<Measured> {
  await new Promise((resolve) => setTimeout(resolve, 500));
  const before = await readResidentMib(service.pid);
  let peak = before;
  const timer = setInterval(async () => {
    peak = Math.max(peak, await readResidentMib(service.pid));
  }, 20);
  const startedAt = performance.now();
  const answer = await send(new URL(service.origin), sizeBytes, withLength);
  const seconds = (performance.now() - startedAt) / 1000;
  clearInterval(timer);
  assert.match(answer, /^HTTP\/1\.1 201 /);
  assert.ok(answer.includes(`"sizeBytes":${sizeBytes}`), answer);
  await Deno.remove(`${folder}/data/objects/objects/raw`, { recursive: true }).catch(() => {});
  return { seconds, grownMib: peak - before };
}

/** A client that costs next to nothing: `fetch` would take as much of the machine as the service. */
async function send(origin: URL, sizeBytes: number, withLength: boolean): Promise<string> {
  using socket = await Deno.connect({ hostname: origin.hostname, port: Number(origin.port) });
  socket.setNoDelay(true);
  const encoder = new TextEncoder();
  const write = async (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.byteLength;) at += await socket.write(bytes.subarray(at));
  };
  const length = withLength ? `content-length: ${sizeBytes}` : "transfer-encoding: chunked";
  await write(encoder.encode(
    `POST /v1/assets HTTP/1.1\r\nhost: ${origin.host}\r\nauthorization: Bearer ${KEY}\r\n` +
      `${length}\r\nconnection: close\r\n\r\n`,
  ));
  for (const chunk of makeChunks(sizeBytes)) {
    if (!withLength) await write(encoder.encode(`${chunk.byteLength.toString(16)}\r\n`));
    await write(chunk);
    if (!withLength) await write(encoder.encode("\r\n"));
  }
  if (!withLength) await write(encoder.encode("0\r\n\r\n"));
  return await new Response(socket.readable).text();
}

/** What any upload has to do at least. */
async function hashAndWrite(sizeBytes: number): Promise<number> {
  if (s3 !== null) return await hashAndPut(s3, sizeBytes);
  const path = `${folder}/plain`;
  const startedAt = performance.now();
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  const hash = createHash("sha256");
  for (const chunk of makeChunks(sizeBytes)) {
    hash.update(chunk);
    for (let at = 0; at < chunk.byteLength;) at += await file.write(chunk.subarray(at));
  }
  hash.digest();
  await file.sync();
  await Deno.remove(path);
  return (performance.now() - startedAt) / 1000;
}

/** The same to a bucket, in parts, since nothing else takes that much. */
async function hashAndPut(bucket: TestS3, sizeBytes: number): Promise<number> {
  const objects = createS3ObjectStore(bucket);
  const startedAt = performance.now();
  const hash = createHash("sha256");
  const chunks = (async function* () {
    for (const chunk of makeChunks(sizeBytes)) {
      hash.update(chunk);
      yield chunk;
    }
  })();
  await writeMultipart(objects, "plain", { maxBytes: sizeBytes, chunks });
  hash.digest();
  const seconds = (performance.now() - startedAt) / 1000;
  await objects.delete("plain");
  await objects.close();
  return seconds;
}

/** Bytes that no two calls have in common, at next to no cost. */
function* makeChunks(sizeBytes: number): Generator<Uint8Array<ArrayBuffer>> {
  const chunkBytes = 256 * 1024;
  const block = randomBytes(chunkBytes);
  for (let at = 0; at < sizeBytes; at += chunkBytes) {
    const chunk = new Uint8Array(Math.min(chunkBytes, sizeBytes - at));
    chunk.set(block.subarray(0, chunk.byteLength));
    new DataView(chunk.buffer).setFloat64(0, at);
    yield chunk;
  }
}

async function readResidentMib(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

function readFlag(name: string): string | undefined {
  return Deno.args.find((each) => each.startsWith(`--${name}=`))?.slice(name.length + 3);
}
