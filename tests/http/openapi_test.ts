import assert from "node:assert/strict";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import { type App, createApp } from "../../src/app.ts";
import { writeSamplePicture } from "../../src/app/sample_picture.ts";
import { readConfig } from "../../src/config.ts";
import {
  buildOpenApiDocument,
  listProblems,
  OPERATIONS,
} from "../../src/http/openapi/build_document.ts";
import type { Operation } from "../../src/http/openapi/operation.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { SILENT_LOGGER } from "../../src/telemetry/logger.ts";
import { openTestDatabase } from "../support/test_database.ts";

const ADMIN_KEY = "an-admin-key-for-tests";
const ADMIN = { authorization: `Bearer ${ADMIN_KEY}` };
const PEER = { remoteAddress: "127.0.0.1", connection: undefined };
const TUS = { ...ADMIN, "tus-resumable": "1.0.0" };

/** The whole service, as `main.ts` makes it, on the test database and a folder. */
async function withService(
  database: { readonly url: string; readonly poolSize: number },
  check: (app: App, dataDir: string) => Promise<void>,
): Promise<void> {
  const dataDir = await Deno.makeTempDir({ prefix: "facet-openapi-" });
  const result = readConfig((name) =>
    ({
      DATABASE_URL: database.url,
      DATABASE_POOL_SIZE: String(database.poolSize),
      DENO_KV_URL: "none",
      FACET_DATA_DIR: dataDir,
      FACET_ADMIN_KEY: ADMIN_KEY,
      RENDER_WORKERS: "1",
      VARIANT_PRESETS: "thumb=320x240/75",
    } as Record<string, string>)[name]
  );
  assert.ok(result.ok);
  const app = await createApp(result.config, { logger: SILENT_LOGGER, migrate: false });
  try {
    await check(app, dataDir);
  } finally {
    await app.close();
    await Deno.remove(dataDir, { recursive: true });
  }
}

/** Timers of metrics and jobs live as long as the process. */
const WHOLE_SERVICE = { sanitizeOps: false, sanitizeResources: false } as const;

/** Paths of the document whose routes are one pattern in the service: everything below a hash. */
const BELOW_HASH = ["/{}/{}/{}.{}", "/{}/{}.{}"];

function shapeOf(pattern: string): string[] {
  const shape = pattern.replace(/:\w+(\{([^{}]|\{[^{}]*\})*\})?/g, "{}");
  return shape === "/{}/{}" ? BELOW_HASH : [shape];
}

Deno.test(
  "buildOpenApiDocument() describes every route of the service, and no other",
  WHOLE_SERVICE,
  async () => {
    await withService({ url: "postgres://127.0.0.1:9/nowhere", poolSize: 1 }, (app) => {
      const served = [...app.resources].flatMap(([pattern, methods]) =>
        shapeOf(pattern).flatMap((shape) => methods.map((method) => `${method} ${shape}`))
      );
      const described = Object.entries(buildOpenApiDocument().paths).flatMap(([path, item]) =>
        Object.keys(item).filter((name) => name !== "parameters")
          .map((method) => `${method.toUpperCase()} ${path.replace(/\{\w+\}/g, "{}")}`)
      );
      assert.deepEqual(described.filter((each) => !served.includes(each)), []);
      // OPTIONS is answered everywhere; where it says more than Allow it is described.
      const missing = served.filter((each) => !described.includes(each));
      assert.deepEqual(missing.filter((each) => !each.startsWith("OPTIONS ")), []);
      return Promise.resolve();
    });
  },
);

Deno.test("buildOpenApiDocument() is valid OpenAPI 3.1 with unique operation ids", async () => {
  const document = JSON.parse(JSON.stringify(buildOpenApiDocument()));
  const validator = new Validator();
  const { valid, errors } = await validator.validate(document);
  assert.ok(valid, JSON.stringify(errors));
  assert.equal(validator.version, "3.1");
  const ids = OPERATIONS.map(({ id }) => id);
  assert.deepEqual(ids.filter((id, index) => ids.indexOf(id) !== index), []);
  for (const { $ref } of findRefs(document)) {
    const target = $ref.slice(2).split("/").reduce((at, name) => at?.[name], document);
    assert.ok(target, $ref);
  }
});

function* findRefs(value: unknown): Generator<{ readonly $ref: string }> {
  if (typeof value !== "object" || value === null) return;
  if ("$ref" in value) yield value as { readonly $ref: string };
  for (const member of Object.values(value)) yield* findRefs(member);
}

Deno.test(
  "GET /openapi.json is cacheable, and answers 304 to who has it",
  WHOLE_SERVICE,
  async () => {
    await withService({ url: "postgres://127.0.0.1:9/nowhere", poolSize: 1 }, async (app) => {
      const get = (headers: HeadersInit = {}) =>
        app.fetch(new Request("http://x/openapi.json", { headers }), PEER);
      const response = await get();
      assert.equal(response.headers.get("content-type"), "application/json");
      assert.match(response.headers.get("cache-control")!, /^public, max-age=\d+$/);
      assert.deepEqual(await response.json(), JSON.parse(JSON.stringify(buildOpenApiDocument())));
      const again = await get({ "if-none-match": response.headers.get("etag")! });
      assert.deepEqual([again.status, await again.text()], [304, ""]);
    });
  },
);

Deno.test("the service's answers are as the OpenAPI document says", WHOLE_SERVICE, async () => {
  const testDatabase = await openTestDatabase();
  try {
    await withService(testDatabase, async (app, dataDir) => {
      const picture = await writeSamplePicture(dataDir);
      const ask = createClient(app);
      const asset = await ask("uploadAsset", "/v1/assets?fileName=a.png", {
        body: await Deno.readFile(picture.path),
      });
      const { assetId, contentHash: hash } = await asset.json();
      await ask("uploadAsset", "/v1/assets", { body: formOf("one", "") });
      await ask("uploadDeclared", `/v1/assets/${hash}`, { body: "other bytes" });
      await ask("uploadDeclared", `/v1/assets/${"0".repeat(64)}`, { body: "other bytes" });
      await ask("listAssets", "/v1/assets?limit=1&mime=image/*");
      await ask("listAssets", "/v1/assets?limit=0");
      await ask("getAsset", `/v1/assets/${assetId}`);
      await ask("getAsset", `/v1/assets/${crypto.randomUUID()}`);
      await ask("listVariants", `/v1/assets/${hash}/variants`);
      const focalPoint = { focalPoint: { x: 0.25, y: 0.5 } };
      await ask("changeAsset", `/v1/assets/${assetId}`, { body: JSON.stringify(focalPoint) });
      await ask("restoreAsset", `/v1/assets/${assetId}/restore`);

      await ask("getOriginal", `/${hash}`);
      await ask("getOriginal", `/${hash}`, { headers: { range: "bytes=0-9" } });
      await ask("getOriginal", `/${hash}`, { headers: { range: "bytes=99999-" } });
      await ask("getOriginal", `/${hash}`, { headers: { "if-none-match": `"${hash}"` } });
      await ask("getVariant", `/${hash}/320x240/80.webp`);
      await ask("getVariant", `/${hash}/320x240/80.auto`);
      await ask("getVariant", `/${hash}/321x240/80.webp`);
      await ask("getVariant", `/${hash}/0320x240/80.webp`);
      await ask("getPreset", `/${hash}/thumb.png`);

      await askForUploads(ask);
      await ask("purge", "/v1/admin/purge", { body: JSON.stringify({ hash }) });
      await ask("purge", "/v1/admin/purge", { body: "{}" });
      const run = await ask("startReconciliation", "/v1/admin/reconcile", { body: "{}" });
      await ask("getReconciliation", run.headers.get("location")!);
      await ask("getCosts", "/v1/admin/cost?days=7");
      await ask("getLiveness", "/healthz");
      await ask("getReadiness", "/readyz");
      await ask("getMetrics", "/metrics");
      await ask("deleteAsset", `/v1/assets/${assetId}`);
      await ask("getOriginal", `/${hash}`);
      await ask("listAssets", "/v1/assets", { headers: { authorization: "Bearer wrong" } });
    });
  } finally {
    // An embedded one ends with the process: closing it behind a whole service hangs on Deno 2.5.
    if (!testDatabase.isEmbedded) await testDatabase.close();
  }
});

type Ask = (id: string, path: string, init?: RequestInit) => Promise<Response>;

async function askForUploads(ask: Ask): Promise<void> {
  await ask("describeTusServer", "/v1/uploads", { headers: TUS });
  await ask("createUpload", "/v1/uploads", { headers: ADMIN });
  const created = await ask("createUpload", "/v1/uploads", {
    headers: { ...TUS, "upload-length": "5" },
  });
  const upload = created.headers.get("location")!;
  const chunk = { ...TUS, "content-type": "application/offset+octet-stream" };
  await ask("appendToUpload", upload, {
    headers: { ...chunk, "upload-offset": "3" },
    body: "hello",
  });
  await ask("appendToUpload", upload, {
    headers: { ...chunk, "upload-offset": "0" },
    body: "hello",
  });
  await ask("getUploadOffset", upload, { headers: TUS });
  await ask("getUpload", upload);
  await ask("terminateUpload", upload, { headers: TUS });
  const planned = await ask("planDirectUpload", "/v1/uploads/direct", { body: '{"sizeBytes":4}' });
  const { uploadId, parts } = await planned.json();
  const direct = `/v1/uploads/direct/${uploadId}`;
  await ask("completeDirectUpload", `${direct}/complete`);
  await ask("putDirectBytes", parts[0].url, { body: "four" });
  await ask("completeDirectUpload", `${direct}/complete`);
  await ask("getDirectUpload", direct);
  await ask("abortDirectUpload", direct);
}

/** Sends requests, and holds every answer against what the document says of the operation. */
function createClient(app: App): Ask {
  const document = JSON.parse(JSON.stringify(buildOpenApiDocument()));
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document, "doc");
  const byId = new Map(OPERATIONS.map((operation) => [operation.id, operation]));
  return async (id, path, init = {}) => {
    const { method, path: template } = byId.get(id) as Operation;
    const request = new Request(new URL(path, "http://x"), {
      method: method.toUpperCase(),
      headers: ADMIN,
      ...init,
    });
    const response = await app.fetch(request, PEER);
    const told = document.paths[template][method].responses[response.status];
    const where = `${id} ${response.status}`;
    assert.ok(told, `${where} is not described: ${await response.clone().text()}`);
    const type = (response.headers.get("content-type") ?? "").split(";")[0];
    if (told.content === undefined) assert.equal(await response.clone().text(), "", where);
    else assert.ok(told.content[type] ?? told.content["*/*"], `${where} as ${type}`);
    if (/json$/.test(type)) {
      const body: { readonly code: ErrorCode } = await response.clone().json();
      const pointer = [template, method, "responses", response.status, "content", type, "schema"]
        .map((name) => String(name).replaceAll("~", "~0").replaceAll("/", "~1"));
      const validate = ajv.compile({
        $ref: `doc#/paths/${pointer.map(encodeURIComponent).join("/")}`,
      });
      assert.ok(validate(body), `${where}: ${JSON.stringify(validate.errors)}`);
      if (response.status >= 400 && type === "application/problem+json") {
        const codes = listProblems(byId.get(id) as Operation);
        assert.ok(codes.has(body.code), `${where}: ${body.code}`);
      }
    }
    for (const name of ["location", "retry-after", "tus-resumable"]) {
      if (!response.headers.has(name) || response.status >= 400) continue;
      const names = Object.keys(told.headers ?? {}).map((each) => each.toLowerCase());
      assert.ok(names.includes(name), `${where} has ${name}`);
    }
    return response;
  };
}

function formOf(...files: readonly string[]): FormData {
  const form = new FormData();
  for (const text of files) form.append("file", new File([text], "a.txt"));
  return form;
}
