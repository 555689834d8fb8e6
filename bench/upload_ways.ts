// deno-lint-ignore-file no-console -- a benchmark prints
/**
 * Uploads a large body by every way in to the service as a process of its own, and prints by how
 * much its resident memory grew and how the speed compares with the raw body of the same run. Linux
 * only.
 *
 *     deno run -A bench/upload_ways.ts [--mib=1024] [--rounds=1]      # to disk
 *     deno run -A bench/upload_ways.ts --store=s3                     # gateway named by TEST_S3_…
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createS3ObjectStore, ensureBucket } from "../src/adapters/s3/s3_object_store.ts";
import { readKeys } from "../tests/support/invariants.ts";
import { findTestS3, type TestS3 } from "../tests/support/test_s3.ts";
import { type ServiceProcess, startService } from "../tests/support/service_process.ts";

const MIB = 1024 * 1024;
const KEY = "bench_key_0123456789abcdef";
const AUTH = { authorization: `Bearer ${KEY}` };
const TUS = { ...AUTH, "tus-resumable": "1.0.0" };

const mib = Number(readFlag("mib") ?? 1024);
const rounds = Number(readFlag("rounds") ?? 1);

type Way = (origin: string, sizeBytes: number) => Promise<void>;

const WAYS: Readonly<Record<string, Way>> = {
  raw: async (origin, sizeBytes) => {
    await send(`${origin}/v1/assets`, "POST", AUTH, makeChunks(sizeBytes));
  },
  form: async (origin, sizeBytes) => {
    const headers = { ...AUTH, "content-type": "multipart/form-data; boundary=B" };
    await send(`${origin}/v1/assets`, "POST", headers, makeForm(sizeBytes));
  },
  tus: async (origin, sizeBytes) => {
    const created = await fetch(`${origin}/v1/uploads`, {
      method: "POST",
      headers: { ...TUS, "upload-length": String(sizeBytes) },
    });
    const headers = {
      ...TUS,
      "upload-offset": "0",
      "content-type": "application/offset+octet-stream",
    };
    const url = `${origin}${created.headers.get("location")}`;
    await send(url, "PATCH", headers, makeChunks(sizeBytes));
  },
  direct: async (origin, sizeBytes) => {
    const planned = await fetch(`${origin}/v1/uploads/direct`, {
      method: "POST",
      headers: AUTH,
      body: JSON.stringify({ sizeBytes }),
    });
    const { uploadId, parts } = await planned.json();
    for (const part of parts) {
      await putPart(new URL(part.url, origin).href, part.sizeBytes);
    }
    const url = `${origin}/v1/uploads/direct/${uploadId}/complete`;
    await send(url, "POST", AUTH, makeChunks(0));
  },
};

const s3 = readFlag("store") === "s3" ? await makeBucket() : null;
const folder = await Deno.makeTempDir({ prefix: "facet-bench-" });
try {
  await using service = await startService({
    command: "dev",
    dataDir: `${folder}/data`,
    env: {
      FACET_ADMIN_KEY: KEY,
      MAX_UPLOAD_SIZE: "8GiB",
      ACCESS_LOG: "false",
      ...(s3 && {
        S3_ENDPOINT: s3.endpoint,
        S3_BUCKET: s3.bucket,
        S3_REGION: s3.region,
        S3_ACCESS_KEY_ID: s3.accessKeyId,
        S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
      }),
    },
  });
  await measure(service, WAYS.raw, 64 * MIB);
  for (let round = 1; round <= rounds; round++) {
    let rawSeconds = NaN;
    for (const [name, way] of Object.entries(WAYS)) {
      const { seconds, grownMib } = await measure(service, way, mib * MIB);
      if (name === "raw") rawSeconds = seconds;
      console.log(
        `round ${round}, ${name}: ${(rawSeconds / seconds).toFixed(2)} × the speed of raw ` +
          `(${(mib / seconds).toFixed(0)} MiB/s), resident memory +${grownMib.toFixed(0)} MiB`,
      );
    }
  }
} finally {
  await Deno.remove(folder, { recursive: true });
  if (s3) await emptyBucket(s3);
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

/** Buckets want a length, so a part is sent whole. */
async function putPart(url: string, sizeBytes: number): Promise<void> {
  const body = new Blob([...makeChunks(sizeBytes)]);
  const response = await fetch(url, { method: "PUT", body });
  assert.ok(response.ok, `${response.status}`);
  await response.body?.cancel();
}

async function measure(
  service: ServiceProcess,
  way: Way,
  sizeBytes: number,
): Promise<{ readonly seconds: number; readonly grownMib: number }> {
  await new Promise((resolve) => setTimeout(resolve, 500));
  const before = await readResidentMib(service.pid);
  let peak = before;
  const timer = setInterval(async () => {
    peak = Math.max(peak, await readResidentMib(service.pid));
  }, 20);
  const startedAt = performance.now();
  try {
    await way(service.origin, sizeBytes);
  } finally {
    clearInterval(timer);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  return { seconds, grownMib: peak - before };
}

async function send(
  url: string,
  method: string,
  headers: Record<string, string>,
  chunks: Iterable<Uint8Array<ArrayBuffer>>,
): Promise<void> {
  const body = ReadableStream.from(chunks);
  const response = await fetch(url, { method, headers, body });
  const answer = await response.text();
  assert.ok(response.ok, `${response.status} ${answer}`);
}

function* makeForm(sizeBytes: number): Generator<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  yield encoder.encode('--B\r\nContent-Disposition: form-data; name=f; filename="x"\r\n\r\n');
  yield* makeChunks(sizeBytes);
  yield encoder.encode("\r\n--B--\r\n");
}

/** Bytes that no two calls have in common, at next to no cost. */
function* makeChunks(sizeBytes: number): Generator<Uint8Array<ArrayBuffer>> {
  const chunkBytes = 256 * 1024;
  const block = randomBytes(chunkBytes);
  for (let at = 0; at < sizeBytes; at += chunkBytes) {
    const chunk = new Uint8Array(Math.min(chunkBytes, sizeBytes - at));
    chunk.set(block.subarray(0, chunk.byteLength));
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
