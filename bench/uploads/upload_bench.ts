/** What the benchmarks of uploads share: a service to upload to, bodies, and a look at its memory. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createS3ObjectStore, ensureBucket } from "../../src/adapters/s3/s3_object_store.ts";
import { readKeys } from "../../tests/support/invariants.ts";
import { type ServiceProcess, startService } from "../../tests/support/service_process.ts";
import { findTestS3, type TestS3 } from "../../tests/support/test_s3.ts";

export const MIB = 1024 * 1024;
/** The API key of the service. */
export const KEY = "bench_key_0123456789abcdef";

/** How often the resident memory is looked at. Milliseconds. */
const SAMPLE_MS = 20;

/** A service as a process of its own, on a fresh folder or bucket that goes when it is disposed. */
export interface UploadBench extends AsyncDisposable {
  readonly service: ServiceProcess;
  readonly folder: string;
  /** Null when objects are on disk, under `folder`. */
  readonly s3: TestS3 | null;
}

/** Starts the service; `--store=s3` puts its objects into the gateway that TEST_S3_… names. */
export async function openUploadBench(): Promise<UploadBench> {
  const s3 = readFlag("store") === "s3" ? await makeBucket() : null;
  const folder = await Deno.makeTempDir({ prefix: "facet-bench-" });
  const service = await startService({
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
  return {
    service,
    folder,
    s3,
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
      if (s3) await emptyBucket(s3);
    },
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

/** What one piece of work took, and by how much the resident memory of a process rose meanwhile. */
export interface Measured<Result> {
  readonly result: Result;
  readonly seconds: number;
  readonly grownMib: number;
}

/** Measures work that a process does for us. */
export async function measureGrowth<Result>(
  pid: number,
  work: () => Promise<Result>,
): Promise<Measured<Result>> {
  await new Promise((resolve) => setTimeout(resolve, 500));
  const before = await readResidentMib(pid);
  let peak = before;
  const timer = setInterval(async () => {
    peak = Math.max(peak, await readResidentMib(pid));
  }, SAMPLE_MS);
  const startedAt = performance.now();
  try {
    const result = await work();
    return { result, seconds: (performance.now() - startedAt) / 1000, grownMib: peak - before };
  } finally {
    clearInterval(timer);
  }
}

async function readResidentMib(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

/** Bytes that no two calls have in common, at next to no cost. Whole MiB. */
export function* makeChunks(sizeBytes: number): Generator<Uint8Array<ArrayBuffer>> {
  const chunkBytes = 256 * 1024;
  const block = randomBytes(chunkBytes);
  for (let at = 0; at < sizeBytes; at += chunkBytes) {
    const chunk = new Uint8Array(Math.min(chunkBytes, sizeBytes - at));
    chunk.set(block.subarray(0, chunk.byteLength));
    new DataView(chunk.buffer).setFloat64(0, at);
    yield chunk;
  }
}

/** The value of `--name=value` on the command line. */
export function readFlag(name: string): string | undefined {
  return Deno.args.find((each) => each.startsWith(`--${name}=`))?.slice(name.length + 3);
}
