import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { hasCode } from "../../../../src/errors.ts";
import type { ObjectStore } from "../../../../src/core/object_store.ts";
import { createS3ObjectStore } from "../../../../src/adapters/s3/s3_object_store.ts";

/** Answers of S3 that no gateway in reach can be made to give; the real ones are in `contract/`. */
type Answer = (request: Request, index: number) => Response | Promise<Response>;

interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
}

const FAILURES = [
  [403, "InvalidObjectState", "asset_archived"],
  [403, "AccessDenied", "storage_error"],
  [403, "QuotaExceeded", "storage_full"],
  [403, "RequestTimeTooSkewed", "storage_unavailable"],
  [400, "RequestTimeout", "storage_unavailable"],
  [409, "ConditionalRequestConflict", "storage_unavailable"],
  [429, "TooManyRequests", "storage_unavailable"],
  [500, "InternalError", "storage_unavailable"],
  [503, "SlowDown", "storage_unavailable"],
  [507, "InsufficientStorage", "storage_full"],
  [501, "NotImplemented", "storage_error"],
  [400, "BadDigest", "object_mismatch"],
  [404, "NoSuchBucket", "storage_error"],
] as const;

for (const [status, name, code] of FAILURES) {
  Deno.test(`get() rejects with ${code} when the store answers ${status} ${name}`, async () => {
    await withStore(() => toFailure(status, name), async (store, seen) => {
      const error = await store.get("a").then(() => null, (error) => error);
      assert.ok(hasCode(error, code), String(error));
      const isTransient = code === "storage_unavailable";
      assert.equal(seen.length, isTransient ? 3 : 1);
      assert.equal(error.retryAfterSeconds, isTransient ? 5 : undefined);
      assert.doesNotMatch(error.message, /bucket|secret|127\.0\.0\.1/i);
    });
  });
}

Deno.test("get() passes the store's own Retry-After on, within bounds", async () => {
  for (const [sent, expected] of [["7", 7], ["86400", 60], ["-1", 5], ["soon", 5]] as const) {
    const answer: Answer = () => toFailure(503, "SlowDown", { "retry-after": sent });
    await withStore(answer, async (store) => {
      await assert.rejects(store.get("a"), { retryAfterSeconds: expected });
    });
  }
});

Deno.test("head() is null for a 404 and an error for a 403, both without a body", async () => {
  await withStore(() => new Response(null, { status: 404 }), async (store) => {
    assert.equal(await store.head("a"), null);
  });
  await withStore(() => new Response(null, { status: 403 }), async (store) => {
    await assert.rejects(store.head("a"), { code: "storage_error" });
  });
});

Deno.test("get() rejects with storage_unavailable when nobody listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  const store = createStore(`http://127.0.0.1:${listener.addr.port}`);
  await assert.rejects(store.get("a"), { code: "storage_unavailable" });
  await assert.rejects(store.ping(), { code: "storage_unavailable" });
  await store.close();
});

Deno.test("put() signs with the store's clock after a RequestTimeTooSkewed", async () => {
  const theirs = new Date(Date.now() + 3_600_000);
  const answer: Answer = (_, index) => {
    const headers = { date: theirs.toUTCString() };
    if (index === 0) return toFailure(403, "RequestTimeTooSkewed", headers);
    return new Response(null, { headers: { ...headers, etag: '"x"' } });
  };
  await withStore(answer, async (store, seen) => {
    await store.put("a", new Uint8Array(1));
    assert.equal(seen.length, 2);
    const signed = seen[1]!.headers.get("x-amz-date")!;
    const signedAt = Date.parse(signed.replace(/(....)(..)(..T..)(..)(..Z)/, "$1-$2-$3:$4:$5"));
    assert.ok(Math.abs(signedAt - theirs.getTime()) < 60_000, signed);
  });
});

Deno.test("put() declares the hash of its bytes, and no checksum trailer", async () => {
  await withStore(() => new Response(null, { headers: { etag: '"x"' } }), async (store, seen) => {
    const bytes = new TextEncoder().encode("bytes");
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    await store.put("a b", bytes, { sha256, ifAbsent: true, contentType: "image/png" });
    const [{ headers, url }] = seen as [SeenRequest];
    assert.ok(url.endsWith("/bucket/a%20b?x-id=PutObject"), url);
    assert.equal(headers.get("x-amz-content-sha256"), sha256);
    assert.equal(headers.get("if-none-match"), "*");
    assert.equal(headers.get("content-type"), "image/png");
    assert.equal(headers.get("content-length"), "5");
    for (const name of ["x-amz-trailer", "x-amz-checksum-crc32", "expect"]) {
      assert.equal(headers.get(name), null, name);
    }
  });
});

Deno.test("put() with ifAbsent asks first where the store knows no conditions", async () => {
  const answer: Answer = (request) => {
    if (request.headers.has("if-none-match")) return toFailure(501, "NotImplemented");
    if (request.method === "HEAD") return new Response(null, { status: 404 });
    return new Response(null, { headers: { etag: '"x"' } });
  };
  await withStore(answer, async (store, seen) => {
    const options = { ifAbsent: true };
    assert.deepEqual(await store.put("a", new Uint8Array(1), options), { created: true });
    assert.deepEqual(await store.put("b", new Uint8Array(1), options), { created: true });
    const methods = seen.map((request) => request.method);
    assert.deepEqual(methods, ["PUT", "HEAD", "PUT", "HEAD", "PUT"]);
  });
});

Deno.test("get() rejects a body of unknown length, and another range than asked for", async () => {
  const chunked: Answer = () => new Response(toStream("no length"));
  await withStore(chunked, async (store) => {
    await assert.rejects(store.get("a"), { code: "storage_error" });
  });
  await withStore(() => new Response("the whole object"), async (store) => {
    const range = { offsetBytes: 2, lengthBytes: 3 };
    await assert.rejects(store.get("a", { range }), { code: "storage_error" });
  });
});

Deno.test("list() rejects keys out of order, foreign keys, and endless listings", async () => {
  const listings = [
    toListing(["p/b", "p/a"]),
    toListing(["p/a", "p/a"]),
    toListing(["p/a", "q/b"]),
    toListing(["p/a"], "<IsTruncated>true</IsTruncated>"),
  ];
  for (const listing of listings) {
    await withStore(() => new Response(listing), async (store) => {
      await assert.rejects(async () => {
        for await (const _ of store.list("p/"));
      }, { code: "storage_error" });
    });
  }
  await withStore(() => new Response("<ListBucketResult><Contents>"), async (store) => {
    await assert.rejects(store.list("p/").next(), hasStorageCode);
  });
});

Deno.test("restore() tells what an archive says", async () => {
  const archived = { "x-amz-storage-class": "GLACIER", "content-length": "5" };
  const thawing = { ...archived, "x-amz-restore": 'ongoing-request="true"' };
  const answer: Answer = (request, index) => {
    if (request.method === "POST") return new Response(null, { status: 202 });
    return new Response(null, { headers: index === 0 ? archived : thawing });
  };
  await withStore(answer, async (store, seen) => {
    assert.deepEqual(await store.restore("a", { days: 3 }), { ongoing: true, expiresAt: null });
    assert.deepEqual(seen.map((request) => request.method), ["HEAD", "POST", "HEAD"]);
    assert.deepEqual(await store.restore("a", { days: 3 }), { ongoing: true, expiresAt: null });
    assert.equal(seen.length, 4, "a restore under way is not asked for again");
  });
});

Deno.test("head() reads the restore and the checksum that the store gives", async () => {
  const sha256 = createHash("sha256").update("bytes");
  const headers = {
    "content-length": "5",
    "x-amz-storage-class": "DEEP_ARCHIVE",
    "x-amz-restore": 'ongoing-request="false", expiry-date="Fri, 21 Dec 2029 00:00:00 GMT"',
    "x-amz-checksum-sha256": sha256.copy().digest("base64"),
  };
  await withStore(() => new Response(null, { headers }), async (store) => {
    const head = await store.head("a");
    assert.equal(head?.storageClass, "archive");
    assert.deepEqual(head?.restore, {
      ongoing: false,
      expiresAt: new Date("2029-12-21T00:00:00Z"),
    });
    assert.equal(head?.sha256, sha256.digest("hex"));
  });
});

Deno.test("createS3ObjectStore() loads the SDK only when it is needed", async () => {
  const module = new URL("../../../../src/adapters/s3/s3_object_store.ts", import.meta.url);
  const script = `
    import { createS3ObjectStore } from ${JSON.stringify(module.href)};
    const text = { endpoint: "http://127.0.0.1:1", bucket: "b", accessKeyId: "k" };
    const store = createS3ObjectStore({ ...text, secretAccessKey: "s", maxAttempts: 1 });
    const error = await store.ping().catch((error) => error);
    await store.close();
    console.log(String(error.cause));`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, script);
  const config = new URL("../../../../deno.json", import.meta.url).pathname;
  // Without npm, a static import would keep the script from starting at all.
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-npm", "--no-check", "--no-lock", "--config", config, file],
  }).output();
  await Deno.remove(file);
  assert.match(new TextDecoder().decode(stdout), /npm/i);
});

function hasStorageCode(error: unknown): boolean {
  return hasCode(error, "storage_error") || hasCode(error, "storage_unavailable");
}

function createStore(endpoint: string): ObjectStore {
  return createS3ObjectStore({
    endpoint,
    bucket: "bucket",
    accessKeyId: "key",
    secretAccessKey: "secret",
    retryDelayMs: 1,
  });
}

async function withStore(
  answer: Answer,
  body: (store: ObjectStore, seen: SeenRequest[]) => Promise<void>,
): Promise<void> {
  const seen: SeenRequest[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { method, url, headers } = request;
    const index = seen.push({ method, url, headers: new Headers(headers) }) - 1;
    await request.arrayBuffer();
    return await answer(request, index);
  });
  const store = createStore(`http://127.0.0.1:${server.addr.port}`);
  try {
    await body(store, seen);
  } finally {
    await store.close();
    await server.shutdown();
  }
}

function toFailure(status: number, code: string, headers: Record<string, string> = {}): Response {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>m</Message></Error>`;
  return new Response(body, { status, headers: { "content-type": "application/xml", ...headers } });
}

function toListing(keys: string[], more = "<IsTruncated>false</IsTruncated>"): string {
  const contents = keys.map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`);
  return `<?xml version="1.0"?><ListBucketResult>${more}${contents.join("")}</ListBucketResult>`;
}

function toStream(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      controller.close();
    },
  });
}
