/** The upload routes over HTTP on real parts, with a key for each of several tenants. */
import type { Hono } from "hono";
import type { ObjectStore } from "../../src/core/object_store.ts";
import type { Principal, Scope } from "../../src/core/principal.ts";
import { createHttpApp } from "../../src/http/app.ts";
import type { HttpEnv, HttpRoutes } from "../../src/http/http_env.ts";
import type { Authenticator } from "../../src/http/middleware/authentication.ts";
import { uploadRoutes, type UploadRoutesDeps } from "../../src/http/routes/uploads.ts";
import { createUploadAdmission, type UploadQuota } from "../../src/http/upload_admission.ts";
import type { Ingest } from "../../src/uploads/ports.ts";
import { MIB, openUploadWorld, type UploadWorld } from "./upload_world.ts";

/** Keys that the app knows: the bearer token is the name. */
export const KEYS: Readonly<Record<string, Partial<Principal>>> = {
  acme: { tenant: "acme" },
  globex: { tenant: "globex" },
  reader: { tenant: "acme", scopes: new Set<Scope>(["read"]) },
  lone: { tenant: "acme", concurrentUploads: 1 },
  frugal: { tenant: "acme", bytesPerDay: 1000 },
};

/** An authenticator that knows {@linkcode KEYS}. */
export const authenticator: Authenticator = {
  authenticate(key) {
    if (!Object.hasOwn(KEYS, key)) return Promise.resolve(null);
    return Promise.resolve({
      tenant: key,
      keyId: key,
      scopes: new Set<Scope>(["upload", "read"]),
      bytesPerDay: null,
      concurrentUploads: null,
      ...KEYS[key],
    });
  },
};

/** Counts bytes per key in memory. */
export function createMemoryQuota(): UploadQuota & { readonly used: Map<string, number> } {
  const used = new Map<string, number>();
  return {
    used,
    reserve(keyId, bytes, limitBytes) {
      const sum = (used.get(keyId) ?? 0) + bytes;
      if (sum > limitBytes) return Promise.resolve(false);
      used.set(keyId, sum);
      return Promise.resolve(true);
    },
    refund(keyId, bytes) {
      used.set(keyId, Math.max(0, (used.get(keyId) ?? 0) - bytes));
      return Promise.resolve();
    },
  };
}

/** The application and what it stands on. */
export interface UploadApp extends AsyncDisposable {
  readonly app: Hono<HttpEnv>;
  readonly world: UploadWorld;
  readonly quota: ReturnType<typeof createMemoryQuota>;
  /** Reported problems. */
  readonly problems: string[];
  /** Sends a request with the key of `acme`, unless `headers` says otherwise. */
  send(path: string, init?: RequestInit & { key?: string | null }): Promise<Response>;
  /** How many objects lie in the store under `prefix`. */
  countObjects(prefix: string): Promise<number>;
  /** How many content rows there are. */
  countContents(): Promise<number>;
}

/** More routes on the same parts. */
export type MoreRoutes = (parts: {
  readonly world: UploadWorld;
  readonly ingest: Ingest;
  readonly admission: UploadRoutesDeps["admission"];
}) => readonly HttpRoutes[];

/** Builds the application. */
export async function openUploadApp(
  options: Partial<UploadRoutesDeps> & {
    readonly more?: MoreRoutes;
    /** Another store than the disk. */
    readonly objects?: ObjectStore;
  } = {},
): Promise<UploadApp> {
  const { objects } = options;
  const world = await openUploadWorld(objects ? { objects } : {});
  const quota = createMemoryQuota();
  const problems: string[] = [];
  const { more, objects: _, ...deps } = options;
  const admission = createUploadAdmission({
    quota,
    maxConcurrentPerKey: 8,
    now: () => new Date(),
  });
  const { ingest } = world;
  const app = createHttpApp({
    routes: [
      uploadRoutes({ ingest, authenticator, admission, maxBytes: 64 * MIB, ...deps }),
      ...(more?.({ world, ingest, admission }) ?? []),
    ],
    logger: {
      log: (_level, message, fields) => void problems.push(`${message} ${fields?.error}`),
      flush: () => {},
    },
    newId: () => crypto.randomUUID(),
    nowMs: () => performance.now(),
    accessLog: undefined,
  });
  return {
    app,
    world,
    quota,
    problems,
    async send(path, { key = "acme", ...init } = {}) {
      const headers = new Headers(init.headers);
      if (key !== null) headers.set("authorization", `Bearer ${key}`);
      return await app.fetch(new Request(new URL(path, "http://localhost"), { ...init, headers }));
    },
    async countObjects(prefix) {
      let count = 0;
      for await (const page of world.faults.objects.list(prefix)) count += page.length;
      return count;
    },
    async countContents() {
      const [row] = await world.database.read((sql) =>
        sql<{ count: number }[]>`select count(*)::int as count from asset_portfolio`
      );
      return Number(row.count);
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

/** A request with a stream as body, as a client sends that does not know its length. */
export function streamInit(body: ReadableStream<Uint8Array>): RequestInit {
  // `duplex` is what fetch asks for with streams; the DOM types do not know it.
  return { method: "POST", body, duplex: "half" } as RequestInit;
}
