import assert from "node:assert/strict";
import { Hono } from "hono";
import { AppError, ERROR_CODES } from "../../../src/errors.ts";
import { createHttpApp } from "../../../src/http/app.ts";
import type { HttpEnv } from "../../../src/http/http_env.ts";
import { requireScope } from "../../../src/http/middleware/authentication.ts";
import { statusOf } from "../../../src/http/problem.ts";
import { healthRoutes } from "../../../src/http/routes/health.ts";
import type { Principal, Scope } from "../../../src/core/principal.ts";
import type { LogFields, Logger } from "../../../src/telemetry/logger.ts";

function createTestApp(register: (routes: Hono<HttpEnv>) => void) {
  const routes = new Hono<HttpEnv>();
  register(routes);
  const access: LogFields[] = [];
  const errors: LogFields[] = [];
  const logger: Logger = {
    log: (_level, _message, fields = {}) => void errors.push(fields),
    flush() {},
  };
  const app = createHttpApp({
    routes: [routes],
    logger,
    newId: () => "made-id-1",
    nowMs: () => 0,
    accessLog: (fields) => void access.push(fields),
  });
  return { app, access, errors };
}

Deno.test("createHttpApp() answers a failure as a problem document with its code and request id", async () => {
  const { app } = createTestApp((routes) =>
    routes.get("/x", () => {
      throw new AppError("asset_archived", "The asset is in cold storage", {
        retryAfterSeconds: 3600,
        extensions: { restore: "under way" },
      });
    })
  );
  const response = await app.request("/x");
  assert.equal(response.status, 409);
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  assert.equal(response.headers.get("retry-after"), "3600");
  assert.equal(response.headers.get("x-request-id"), "made-id-1");
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.deepEqual(await response.json(), {
    type: "urn:facet:problem:asset_archived",
    title: "Conflict",
    status: 409,
    detail: "The asset is in cold storage",
    instance: "urn:facet:request:made-id-1",
    code: "asset_archived",
    restore: "under way",
  });
});

Deno.test("createHttpApp() hides what an unexpected error says and logs it", async () => {
  const { app, errors } = createTestApp((routes) =>
    routes.get("/x", () => {
      throw new Error("password=hunter2 at /srv/secret.ts");
    })
  );
  const response = await app.request("/x");
  assert.equal(response.status, 500);
  const text = await response.text();
  assert.ok(!/hunter2|secret|\.ts/.test(text), text);
  assert.match(JSON.stringify(errors), /hunter2/);
});

Deno.test("createHttpApp() answers an unknown path with 404 and an unknown method with 405 and Allow", async () => {
  const { app } = createTestApp((routes) => routes.get("/x", (c) => c.text("x")));
  assert.equal((await app.request("/nothing")).status, 404);
  assert.equal((await app.request("/nothing", { method: "OPTIONS" })).status, 404);
  const response = await app.request("/x", { method: "DELETE" });
  assert.equal(response.status, 405);
  assert.equal(response.headers.get("allow"), "GET, HEAD, OPTIONS");
  assert.equal((await response.json()).code, "method_not_allowed");
});

Deno.test("createHttpApp() gathers Allow from all groups that have routes of a resource", async () => {
  const { app } = createTestApp((routes) => {
    routes.get("/things/:thing", (c) => c.text("x"));
    routes.put("/things/:name", (c) => c.text("x"));
    routes.delete("/things/:thing/parts", (c) => c.text("x"));
    routes.post("/things/:id{[0-9]+}/undo", (c) => c.text("x"));
  });
  const ask = async (path: string, method: string) => {
    const response = await app.request(path, { method });
    return [response.status, response.headers.get("allow")];
  };
  assert.deepEqual(await ask("/things/1", "PATCH"), [405, "GET, HEAD, PUT, OPTIONS"]);
  assert.deepEqual(await ask("/things/1", "OPTIONS"), [204, "GET, HEAD, PUT, OPTIONS"]);
  assert.deepEqual(await ask("/things/1/parts", "GET"), [405, "DELETE, OPTIONS"]);
  assert.deepEqual(await ask("/things/1/undo", "PROPFIND"), [405, "POST, OPTIONS"]);
  assert.deepEqual(await ask("/things/x/undo", "POST"), [404, null]);
});

Deno.test("createHttpApp() keeps a client's request id when it is safe and replaces it otherwise", async () => {
  const { app } = createTestApp((routes) => routes.get("/x", (c) => c.text("x")));
  const ask = (id: string) => app.request("/x", { headers: { "x-request-id": id } });
  assert.equal((await ask("trace-12345678")).headers.get("x-request-id"), "trace-12345678");
  assert.equal((await ask("<script>alert(1)")).headers.get("x-request-id"), "made-id-1");
});

Deno.test("createHttpApp() logs each request without its query", async () => {
  const { app, access } = createTestApp((routes) => routes.get("/x", (c) => c.text("x")));
  await app.request("/x?sig=secret");
  await app.request("/nothing");
  assert.deepEqual(access.map(({ path, status, code }) => ({ path, status, code })), [
    { path: "/x", status: 200, code: undefined },
    { path: "/nothing", status: 404, code: "route_not_found" },
  ]);
});

Deno.test("statusOf() is an error status for every code", () => {
  for (const kind of Object.values(ERROR_CODES)) {
    assert.ok(statusOf(kind) >= 400 && statusOf(kind) < 600, kind);
  }
});

Deno.test("requireScope() tells an unknown key (401) from a key without the scope (403)", async () => {
  const reader: Principal = {
    tenant: "acme",
    keyId: "k1",
    scopes: new Set<Scope>(["read"]),
    bytesPerDay: null,
    concurrentUploads: null,
  };
  const authenticator = {
    authenticate: (key: string) => Promise.resolve(key === "good" ? reader : null),
  };
  const { app } = createTestApp((routes) => {
    routes.get(
      "/read",
      requireScope("read", authenticator),
      (c) => c.text(c.get("principal").tenant),
    );
    routes.get("/admin", requireScope("admin", authenticator), (c) => c.text("never"));
  });
  const ask = (path: string, authorization?: string) =>
    app.request(path, authorization ? { headers: { authorization } } : {});

  assert.equal(await (await ask("/read", "Bearer good")).text(), "acme");
  assert.equal(await (await ask("/read", "bearer good")).text(), "acme");
  for (const header of [undefined, "Bearer bad", "Basic good", "Bearer", "Bearer good extra"]) {
    const response = await ask("/read", header);
    assert.equal(response.status, 401, header);
    assert.equal(response.headers.get("www-authenticate"), 'Bearer realm="facet"');
  }
  const refused = await ask("/admin", "Bearer good");
  assert.equal(refused.status, 403);
  assert.match(refused.headers.get("www-authenticate") ?? "", /insufficient_scope/);
});

Deno.test("healthRoutes() names the dependency that is down, within the probe's time", async () => {
  const health = healthRoutes({
    dependencies: [
      { name: "catalog", required: true, probe: () => Promise.resolve(true) },
      { name: "storage", required: true, probe: () => new Promise(() => {}) },
      { name: "kv", required: false, probe: () => Promise.resolve(false) },
    ],
    probeTimeoutMs: 20,
    nowMs: () => 0,
    isShuttingDown: () => false,
  });
  const { app } = createTestApp((routes) => routes.route("/", health));
  const response = await app.request("/readyz");
  assert.equal(response.status, 503);
  const body = await response.json();
  assert.deepEqual(
    Object.entries(body.dependencies).map(([name, each]) => [
      name,
      (each as { status: string }).status,
    ]),
    [["catalog", "up"], ["storage", "down"], ["kv", "disabled"]],
  );
  assert.equal((await app.request("/healthz")).status, 200);
});
