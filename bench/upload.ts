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
import { createHash } from "node:crypto";
import { createS3ObjectStore } from "../src/adapters/s3/s3_object_store.ts";
import { writeMultipart } from "../src/core/multipart_writer.ts";
import type { TestS3 } from "../tests/support/test_s3.ts";
import {
  KEY,
  makeChunks,
  measureGrowth,
  MIB,
  openUploadBench,
  readFlag,
} from "./uploads/upload_bench.ts";

if (readFlag("bare") !== undefined) await serveBare(readFlag("bare")!);

const mib = Number(readFlag("mib") ?? 1024);
const rounds = Number(readFlag("rounds") ?? 3);
const store = readFlag("store") ?? "disk";

await using bench = await openUploadBench();
const { folder, s3, service } = bench;
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
    `hash-and-write (budget ≥ 0.5), at most +${Math.max(...growths).toFixed(0)} MiB (budget ≤ 64)`,
);

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

async function upload(
  service: { readonly origin: string; readonly pid: number },
  sizeBytes: number,
  withLength: boolean,
): Promise<{ readonly seconds: number; readonly grownMib: number }> {
  const measured = await measureGrowth(
    service.pid,
    () => send(new URL(service.origin), sizeBytes, withLength),
  );
  assert.match(measured.result, /^HTTP\/1\.1 201 /);
  assert.ok(measured.result.includes(`"sizeBytes":${sizeBytes}`), measured.result);
  await Deno.remove(`${folder}/data/objects/objects/raw`, { recursive: true }).catch(() => {});
  return measured;
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
