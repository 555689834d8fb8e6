import assert from "node:assert/strict";
import { type SigningKeys, signPath } from "../../src/core/url_signature.ts";
import { createHttpApp } from "../../src/http/app.ts";
import { createImmediateVariants } from "../../src/http/immediate_variants.ts";
import type { AnsweredRequest } from "../../src/http/middleware/request_context.ts";
import { variantRoutes } from "../../src/http/routes/variants.ts";
import type { LogFields } from "../../src/telemetry/logger.ts";
import type { AccessRecorder } from "../../src/variants/ports.ts";
import { createDeliveryFixture, type FixtureOptions, makeAsset } from "./delivery_fixture.ts";

const ASSET = makeAsset("fast lane");
const HASH = ASSET.record.hash;
const PATH = `/${HASH}/640x480/80.webp`;
const KEYS: SigningKeys = {
  secrets: new Map([["k1", new TextEncoder().encode("a secret of the fast lane")]]),
  currentKeyId: "k1",
};

/** Whatever differs between two answers to the same request. */
const PER_REQUEST = new Set(["x-request-id", "date"]);

/** The same service behind the lane and behind the routes alone. */
function createLanes(options: FixtureOptions & { readonly accessLog?: boolean } = {}) {
  const answered: AnsweredRequest[] = [];
  const logged: LogFields[] = [];
  const problems: string[] = [];
  const accesses: Parameters<AccessRecorder["record"]>[0][] = [];
  const fixture = createDeliveryFixture({
    ...options,
    service: { access: { record: (access) => void accesses.push(access) }, ...options.service },
  });
  fixture.add(ASSET);
  const { parts } = fixture;
  let lane = 0;
  const atOnce = createImmediateVariants(parts);
  const build = (fast: boolean) =>
    createHttpApp({
      ...(fast
        ? {
          answerAtOnce: (request) => {
            const answer = atOnce(request);
            if (answer !== null) lane++;
            return answer;
          },
        }
        : {}),
      routes: [variantRoutes(parts)],
      newId: () => "made-id-1",
      nowMs: () => 5,
      accessLog: options.accessLog ? (fields) => void logged.push(fields) : undefined,
      onAnswered: (answer) => void answered.push(answer),
      onProblem: ({ code }) => void problems.push(code),
      logger: { log() {}, flush() {} },
    });
  return {
    ...fixture,
    fast: build(true),
    routed: build(false),
    answered,
    logged,
    problems,
    accesses,
    /** How many answers came from the lane. */
    laneAnswers: () => lane,
  };
}

async function readAnswer(response: Response) {
  const headers = [...response.headers].filter(([name]) => !PER_REQUEST.has(name));
  return { status: response.status, headers, body: await response.text() };
}

Deno.test("the fast lane answers as the routes do", async () => {
  const lanes = createLanes({ keys: KEYS });
  const hidden = makeAsset("private", { visibility: "private" });
  const deleted = makeAsset("deleted", { state: "DELETED" });
  lanes.add(hidden);
  lanes.add(deleted);
  const signed = (path: string, expiresAtSeconds = 5_000) =>
    `${path}?${signPath(path, { keys: KEYS, expiresAtSeconds })}`;
  const etag = (await lanes.routed.request(PATH)).headers.get("etag")!;
  const secret = `/${hidden.record.hash}/320x240/80.jpg`;
  const cases: [path: string, headers?: Record<string, string>][] = [
    [PATH],
    [PATH],
    [PATH, { "if-none-match": etag }],
    [PATH, { "if-none-match": `"other", W/${etag}` }],
    [PATH, { "if-none-match": '"other"' }],
    [PATH, { "if-match": etag }],
    [PATH, { "if-match": '"other"' }],
    [PATH, { range: "bytes=0-3" }],
    [`${PATH}?utm_source=x`],
    [signed(PATH)],
    [signed(PATH, 1)],
    [`${PATH}?exp=5000&kid=k1&sig=x`],
    [`/${HASH}/641x481/80.webp`],
    [`/${HASH}/641x481/80.webp`],
    [signed(`/${HASH}/641x481/80.webp`)],
    [`/${HASH}/9x480/80.webp`],
    [`/${HASH}/0640x480/80.webp`],
    [`/${HASH}/640x480/`],
    [`/${HASH.toUpperCase()}/640x480/80.webp`],
    [`/${"x".repeat(64)}/640x480/80.webp`],
    [`/${"0".repeat(64)}/640x480/80.webp`],
    [`/${deleted.record.hash}/640x480/80.webp`],
    [secret],
    [signed(secret)],
    [secret],
    [`/${HASH}`],
    [`/${HASH}/640x480/80.auto`],
    ["/nothing"],
  ];
  for (const [path, headers = {}] of cases) {
    // Renders, and what the catalog says, are remembered by the first request.
    await (await lanes.routed.request(path, { headers })).body?.cancel();
    const expected = await readAnswer(await lanes.routed.request(path, { headers }));
    for (const method of ["GET", "GET", "HEAD"]) {
      const answer = await readAnswer(await lanes.fast.request(path, { method, headers }));
      const body = method === "HEAD" ? "" : expected.body;
      assert.deepEqual(
        answer,
        { ...expected, body },
        `${method} ${path} ${JSON.stringify(headers)}`,
      );
    }
  }
  assert.ok(lanes.laneAnswers() > cases.length, String(lanes.laneAnswers()));
});

Deno.test("the fast lane answers at once, without a promise, what is in memory", async () => {
  const lanes = createLanes();
  const ask = () => lanes.fast.fetch(new Request(`http://localhost${PATH}`));
  assert.ok(ask() instanceof Promise);
  await lanes.fast.request(PATH);
  assert.ok(ask() instanceof Response);
  assert.equal(lanes.renders.length, 1);
});

Deno.test("the fast lane counts, records and logs what it answers", async () => {
  const lanes = createLanes({ accessLog: true });
  await lanes.fast.request(PATH);
  lanes.answered.length = lanes.logged.length = lanes.accesses.length = 0;
  const response = await lanes.fast.request(`${PATH}?secret=1`, {
    headers: { "x-request-id": "trace-12345678" },
  });
  const bytes = (await response.bytes()).byteLength;
  assert.equal(response.headers.get("x-request-id"), "trace-12345678");
  const refused = await lanes.fast.request(`/${HASH}/641x481/80.webp`);
  assert.equal(refused.headers.get("x-request-id"), "made-id-1");
  assert.equal((await refused.json()).instance, "urn:facet:request:made-id-1");
  assert.deepEqual(lanes.answered, [
    { route: "variant", status: 200, bytes },
    { route: "variant", status: 403, bytes: 0 },
  ]);
  assert.deepEqual(lanes.problems, ["variant_not_allowed"]);
  assert.deepEqual(lanes.accesses, [
    { hash: HASH, variant: "640x480/80.webp", tier: "MEMORY", bytes, renderMs: null },
  ]);
  const line = { method: "GET", durationMs: 0 };
  assert.deepEqual(lanes.logged, [
    { ...line, requestId: "trace-12345678", path: PATH, status: 200, bytes, cache: "MEMORY" },
    {
      ...line,
      requestId: "made-id-1",
      path: `/${HASH}/641x481/80.webp`,
      status: 403,
      bytes: 0,
      code: "variant_not_allowed",
    },
  ]);
});

Deno.test("the fast lane names requests where something is written under the name", async () => {
  const lanes = createLanes();
  await lanes.fast.request(PATH);
  const ask = async (headers: Record<string, string>) =>
    (await lanes.fast.request(PATH, { headers })).headers.get("x-request-id");
  assert.equal(await ask({}), null);
  assert.equal(await ask({ "x-request-id": "trace-12345678" }), "trace-12345678");
  assert.equal(await ask({ "x-request-id": "<script>" }), null);
  assert.equal(await ask({}), null);
});

Deno.test("the fast lane forgets with the service: purges, deletions and new focal points", async () => {
  const lanes = createLanes();
  const ask = () => lanes.fast.request(PATH);
  await (await ask()).bytes();
  assert.equal((await ask()).headers.get("x-cache"), "MEMORY");
  lanes.service.purgeLocal(HASH);
  assert.equal((await ask()).headers.get("x-cache"), "MISS");
  const etag = (await ask()).headers.get("etag");
  lanes.add({ ...ASSET, record: { ...ASSET.record, focus: { x: 0.25, y: 0.5 } } });
  lanes.service.forget(HASH);
  assert.equal((await ask()).headers.get("x-cache"), "MISS");
  const moved = await ask();
  assert.equal(moved.headers.get("x-cache"), "MEMORY");
  assert.notEqual(moved.headers.get("etag"), etag);
  lanes.add({ ...ASSET, record: { ...ASSET.record, state: "DELETED" } });
  lanes.service.purgeLocal(HASH);
  assert.equal((await ask()).status, 410);
  assert.equal((await ask()).status, 410);
});

Deno.test("the fast lane serves nothing without a signature where one is required", async () => {
  const lanes = createLanes({ keys: KEYS, requireSignatures: true });
  const signed = `${PATH}?${signPath(PATH, { keys: KEYS, expiresAtSeconds: 5_000 })}`;
  await lanes.fast.request(signed);
  assert.equal((await lanes.fast.request(signed)).status, 200);
  assert.equal((await lanes.fast.request(PATH)).status, 403);
  lanes.clock.nowMs = 5_001_000;
  assert.equal((await lanes.fast.request(signed)).status, 403);
});

Deno.test("the fast lane serves a warm variant over a socket, again and again", async () => {
  const lanes = createLanes();
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    (request) => lanes.fast.fetch(request),
  );
  try {
    const url = `http://127.0.0.1:${server.addr.port}${PATH}`;
    const first = await fetch(url);
    const bytes = await first.bytes();
    const etag = first.headers.get("etag")!;
    for (let round = 0; round < 20; round++) {
      const warm = await fetch(url);
      assert.equal(warm.headers.get("x-cache"), "MEMORY");
      assert.equal(warm.headers.get("content-length"), String(bytes.byteLength));
      assert.deepEqual(await warm.bytes(), bytes);
      const unchanged = await fetch(url, { headers: { "if-none-match": etag } });
      assert.equal(unchanged.status, 304);
      assert.equal(unchanged.headers.get("etag"), etag);
      assert.equal(await unchanged.text(), "");
    }
    const head = await fetch(url, { method: "HEAD" });
    assert.equal(head.headers.get("content-length"), String(bytes.byteLength));
    assert.equal(lanes.renders.length, 1);
    assert.ok(lanes.laneAnswers() >= 40);
  } finally {
    await server.shutdown();
  }
});
