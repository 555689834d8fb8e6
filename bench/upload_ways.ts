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
import {
  KEY,
  makeChunks,
  measureGrowth,
  MIB,
  openUploadBench,
  readFlag,
} from "./uploads/upload_bench.ts";

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

await using bench = await openUploadBench();
const { service } = bench;
const measure = (way: Way, sizeBytes: number) =>
  measureGrowth(service.pid, () => way(service.origin, sizeBytes));
await measure(WAYS.raw, 64 * MIB);
for (let round = 1; round <= rounds; round++) {
  let rawSeconds = NaN;
  for (const [name, way] of Object.entries(WAYS)) {
    const { seconds, grownMib } = await measure(way, mib * MIB);
    if (name === "raw") rawSeconds = seconds;
    console.log(
      `round ${round}, ${name}: ${(rawSeconds / seconds).toFixed(2)} × the speed of raw ` +
        `(${(mib / seconds).toFixed(0)} MiB/s), resident memory +${grownMib.toFixed(0)} MiB`,
    );
  }
}

/** Buckets want a length, so a part is sent whole. */
async function putPart(url: string, sizeBytes: number): Promise<void> {
  const body = new Blob([...makeChunks(sizeBytes)]);
  const response = await fetch(url, { method: "PUT", body });
  assert.ok(response.ok, `${response.status}`);
  await response.body?.cancel();
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
