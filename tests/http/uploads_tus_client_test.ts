import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as tus from "tus-js-client";
import { createHttpApp } from "../../src/http/app.ts";
import { createUploadAdmission } from "../../src/http/upload_admission.ts";
import { startCuttingProxy } from "../support/cutting_proxy.ts";
import { serveLocally } from "../support/local_server.ts";
import { openUploadApp, type UploadApp } from "../support/upload_app.ts";
import { resumable } from "../support/upload_routes.ts";
import { MIB, randomFile, sha256Of } from "../support/upload_world.ts";
import { waitUntil } from "../support/wait_until.ts";

/**
 * Sends the client's requests by `fetch`: its own stack for Node breaks on the `node:http` of older
 * runtimes when a connection is cut.
 */
class FetchStack implements tus.HttpStack {
  readonly #beforeAsking: () => Promise<unknown>;

  /** `beforeAsking` is awaited before the client asks for the offset. */
  constructor(beforeAsking: () => Promise<unknown>) {
    this.#beforeAsking = beforeAsking;
  }

  getName(): string {
    return "FetchStack";
  }

  createRequest(method: string, url: string): tus.HttpRequest {
    const beforeAsking = this.#beforeAsking;
    const headers = new Headers();
    const stop = new AbortController();
    return {
      getMethod: () => method,
      getURL: () => url,
      setHeader: (name, value) => headers.set(name, value),
      getHeader: (name) => headers.get(name) ?? undefined,
      setProgressHandler: () => {},
      getUnderlyingObject: () => null,
      abort: () => Promise.resolve(stop.abort()),
      async send(body) {
        if (method === "HEAD") await beforeAsking();
        const signal = stop.signal;
        const response = await fetch(url, { method, headers, body: body ?? null, signal });
        const text = await response.text();
        return {
          getStatus: () => response.status,
          getHeader: (name) => response.headers.get(name) ?? undefined,
          getBody: () => text,
          getUnderlyingObject: () => response,
        };
      },
    };
  }
}

interface Outcome {
  readonly url: string;
  readonly offsets: readonly number[];
  readonly hash: string | undefined;
}

/** Uploads `bytes` with the reference client, which retries on its own. */
async function upload(
  port: number,
  bytes: Uint8Array,
  options: Partial<tus.UploadOptions> = {},
  beforeAsking: () => Promise<unknown> = () => Promise.resolve(),
): Promise<Outcome> {
  const offsets: number[] = [];
  let hash: string | undefined;
  const done = Promise.withResolvers<string>();
  const uploading: tus.Upload = new tus.Upload(Buffer.from(bytes), {
    endpoint: `http://127.0.0.1:${port}/v1/uploads`,
    headers: { authorization: "Bearer acme" },
    metadata: { filename: "film.bin", filetype: "application/x-film" },
    httpStack: new FetchStack(beforeAsking),
    retryDelays: [10, 20, 40, 80, 160, 320, 500, 500, 500, 500],
    onAfterResponse: (_request, response) => {
      const offset = response.getHeader("upload-offset");
      if (offset !== undefined) offsets.push(Number(offset));
      hash = response.getHeader("facet-content-hash") ?? hash;
    },
    onSuccess: () => done.resolve(uploading.url ?? ""),
    onError: (error) => done.reject(error),
    ...options,
  });
  uploading.start();
  return { url: await done.promise, offsets, hash };
}

async function assertStored(at: UploadApp, bytes: Uint8Array, outcome: Outcome): Promise<void> {
  const described = await at.send(new URL(outcome.url).pathname);
  const { state, asset } = await described.json();
  assert.deepEqual([state, asset.contentHash, asset.sizeBytes, asset.fileName], [
    "done",
    sha256Of(bytes),
    bytes.length,
    "film.bin",
  ]);
  assert.equal(await at.countObjects("raw/"), 1);
  assert.equal(await at.countObjects("staging/"), 0);
  await at.world.assertInvariants();
}

Deno.test({
  name: "tus-js-client uploads in one request and in chunks",
  async fn() {
    await using at = await openUploadApp({ more: resumable() });
    await using server = serveLocally(at.app);
    const bytes = randomFile(11 * MIB + 3);
    const whole = await upload(server.port, bytes);
    assert.equal(whole.hash, sha256Of(bytes));
    await assertStored(at, bytes, whole);
    const chunked = await upload(server.port, bytes, { chunkSize: 3 * MIB });
    assert.deepEqual(chunked.offsets, [0, 3 * MIB, 6 * MIB, 9 * MIB, bytes.length]);
    await assertStored(at, bytes, chunked);
    const early = await upload(server.port, bytes, { uploadDataDuringCreation: true });
    await assertStored(at, bytes, early);
  },
});

Deno.test({
  name: "tus-js-client resumes on another instance after each cut of its connection",
  async fn() {
    await using at = await openUploadApp({ more: resumable() });
    const second = openSecondInstance(at);
    await using first = serveLocally(at.app);
    await using next = serveLocally(second);
    const ports = [first.port, next.port];
    let connections = 0;
    await using proxy = startCuttingProxy({
      target: () => ports[connections++ % ports.length],
      cutAfterBytes: [MIB, 2 * MIB, 5 * MIB + 1, 64 * 1024, 700_000, 4 * MIB],
    });
    const bytes = randomFile(17 * MIB + 77);
    // A client that asks before the cut request has ended takes over, and its bytes are sent again.
    const outcome = await upload(
      proxy.port,
      bytes,
      {},
      () => waitUntil(() => first.handling + next.handling === 0),
    );
    assert.ok(proxy.cuts >= 5, `${proxy.cuts} cuts`);
    assert.ok(connections > proxy.cuts);
    const resumed = outcome.offsets.filter((offset) => offset > 0 && offset < bytes.length);
    assert.ok(resumed.length >= 3, `resumed at ${resumed}`);
    assert.deepEqual(resumed, resumed.toSorted((a, b) => a - b), "an offset went back");
    await assertStored(at, bytes, outcome);
  },
});

/** Routes and use cases of their own on the same database and store. */
function openSecondInstance(at: UploadApp): UploadApp["app"] {
  const { quota, world } = at;
  const now = () => new Date();
  const admission = createUploadAdmission({ quota, maxConcurrentPerKey: 8, now });
  return createHttpApp({
    routes: resumable()({ world, ingest: world.addInstance().ingest, admission }),
    logger: { log: () => {}, flush: () => {} },
    newId: () => crypto.randomUUID(),
    nowMs: () => performance.now(),
    accessLog: undefined,
  });
}
