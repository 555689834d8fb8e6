/**
 * The configuration: read once from the environment, checked as a whole, passed on as values.
 *
 * @module
 */
import { readConnectionLimits } from "./connection_config.ts";
import { readDelivery } from "./delivery_config.ts";
import { type EnvEntry, EnvReader, type EnvSource } from "./env_reader.ts";
import { guessDialect, readUpkeep, type S3Dialect } from "./upkeep_config.ts";

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIB = 2 ** 40;
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;

/** Starts every key that the service makes for itself in development; refused in production. */
export const DEVELOPMENT_KEY_PREFIX = "facet_dev_";

/** Where the catalog is kept. */
export type DatabaseConfig =
  | { readonly kind: "embedded"; readonly dataDir: string }
  | { readonly kind: "postgres"; readonly url: string; readonly replicaUrl: string | undefined };

/** Where the bytes are kept. */
export type StorageConfig =
  | { readonly kind: "disk"; readonly root: string; readonly signingSecret: string | undefined }
  | {
    readonly kind: "s3";
    readonly endpoint: string;
    readonly bucket: string;
    readonly region: string;
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    /** Which S3 it is: they differ in storage classes. */
    readonly dialect: S3Dialect;
  };

/** Where variants are shared between instances. `platform` is Deno Deploy's own KV. */
export type KvConfig =
  | { readonly kind: "local"; readonly path: string }
  | { readonly kind: "remote"; readonly url: string; readonly accessToken: string | undefined }
  | { readonly kind: "platform" }
  | { readonly kind: "none" };

/** The effective configuration. Sizes in bytes, durations in milliseconds. */
export interface Config {
  readonly environment: "development" | "production";
  readonly onDenoDeploy: boolean;
  readonly http: ReturnType<typeof readHttp>;
  readonly database: DatabaseConfig & ReturnType<typeof readPool>;
  readonly storage: StorageConfig & ReturnType<typeof readStorageLimits>;
  readonly kv: KvConfig;
  /** An admin key besides those in the key table; undefined when none is configured. */
  readonly adminKey: string | undefined;
  readonly dataDir: string;
  readonly upload: ReturnType<typeof readUpload>;
  readonly variants: ReturnType<typeof readVariants>;
  /** Who exports the metrics: Deno itself (`OTEL_DENO=true`), or `/metrics` as text. */
  readonly metricsExporter: "runtime" | "prometheus";
  readonly delivery: ReturnType<typeof readDelivery>;
  readonly render: ReturnType<typeof readRender>;
  readonly upkeep: ReturnType<typeof readUpkeep>;
}

/** The outcome of reading the environment. */
export type ConfigResult =
  | { readonly ok: true; readonly config: Config; readonly entries: readonly EnvEntry[] }
  | {
    readonly ok: false;
    readonly problems: readonly string[];
    readonly entries: readonly EnvEntry[];
  };

/**
 * Reads the whole configuration.
 *
 * In production (`FACET_ENV=production`, or on Deno Deploy) the embedded database, the disk store
 * and a development admin key are problems, so that a deployment never runs on development defaults.
 */
export function readConfig(source: EnvSource): ConfigResult {
  const env = new EnvReader(source);
  const onDenoDeploy = source("DENO_DEPLOYMENT_ID") !== undefined ||
    source("DENO_DEPLOY") !== undefined;
  const environment = env.choice("FACET_ENV", onDenoDeploy ? "production" : "development", [
    "development",
    "production",
  ]);
  const production = environment === "production" || onDenoDeploy;
  const dataDir = env.text("FACET_DATA_DIR", ".data");
  const config: Config = {
    environment: production ? "production" : "development",
    onDenoDeploy,
    http: readHttp(env, { production, onDenoDeploy }),
    database: { ...readDatabase(env, source, dataDir), ...readPool(env) },
    storage: { ...readStorage(env, dataDir), ...readStorageLimits(env) },
    kv: readKv(env, { dataDir, production, onDenoDeploy }),
    adminKey: readAdminKey(env),
    dataDir,
    upload: readUpload(env),
    variants: readVariants(env),
    metricsExporter: source("OTEL_DENO") === "true" ? "runtime" : "prometheus",
    delivery: readDelivery(env),
    render: readRender(env),
    upkeep: readUpkeep(env),
  };
  if (production) refuseDevelopmentDefaults(config, env.problems);
  if (env.problems.length > 0) return { ok: false, problems: env.problems, entries: env.entries };
  return { ok: true, config, entries: env.entries };
}

function readHttp(
  env: EnvReader,
  { production, onDenoDeploy }: { production: boolean; onDenoDeploy: boolean },
) {
  return {
    connections: readConnectionLimits(env, onDenoDeploy),
    port: env.integer("PORT", 8000, { min: 0, max: 65535 }),
    hostname: env.text("FACET_HOST", production ? "0.0.0.0" : "127.0.0.1"),
    /** How long running requests may take to finish after SIGINT or SIGTERM. */
    shutdownGraceMs: env.durationMs("SHUTDOWN_GRACE", 4 * SECOND, { min: 0, max: 60 * SECOND }),
    /** Whether `X-Forwarded-For` names the client, because a trusted proxy sets it. */
    trustProxy: env.flag("TRUST_PROXY", false),
    /** Bytes of all header fields of a request that changes something. */
    maxHeaderBytes: env.bytes("MAX_HEADER_SIZE", 32 * KIB, { min: 4 * KIB, max: MIB }),
    logLevel: env.choice("LOG_LEVEL", "info", ["debug", "info", "warn", "error"]),
    accessLog: env.flag("ACCESS_LOG", true),
  };
}

function readDatabase(env: EnvReader, source: EnvSource, dataDir: string): DatabaseConfig {
  const url = env.postgresUrl("DATABASE_URL");
  const replicaUrl = env.postgresUrl("DATABASE_REPLICA_URL");
  const resolved = url ?? buildPostgresUrl(source);
  if (resolved === undefined) return { kind: "embedded", dataDir: `${dataDir}/postgres` };
  return { kind: "postgres", url: resolved, replicaUrl };
}

/** The standard libpq variables, as Deno Deploy sets them for an attached Postgres. */
function buildPostgresUrl(source: EnvSource): string | undefined {
  const host = source("PGHOST");
  if (!host) return undefined;
  const user = encodeURIComponent(source("PGUSER") ?? "postgres");
  const password = source("PGPASSWORD");
  const credentials = password ? `${user}:${encodeURIComponent(password)}` : user;
  const database = encodeURIComponent(source("PGDATABASE") ?? "postgres");
  const ssl = source("PGSSLMODE");
  return `postgres://${credentials}@${host}:${source("PGPORT") ?? "5432"}/${database}` +
    (ssl ? `?sslmode=${encodeURIComponent(ssl)}` : "");
}

function readPool(env: EnvReader) {
  return {
    poolSize: env.integer("DATABASE_POOL_SIZE", 5, { min: 1, max: 200 }),
    connectTimeoutMs: env.durationMs("DATABASE_CONNECT_TIMEOUT", 3 * SECOND, {
      min: 100,
      max: 60 * SECOND,
    }),
    statementTimeoutMs: env.durationMs("DATABASE_STATEMENT_TIMEOUT", 10 * SECOND, {
      min: 100,
      max: 600 * SECOND,
    }),
  };
}

function readStorage(env: EnvReader, dataDir: string): StorageConfig {
  const endpoint = env.url("S3_ENDPOINT", { aliases: ["CF_R2_ENDPOINT"] });
  const bucket = env.optional("S3_BUCKET", { aliases: ["CF_R2_BUCKET"] });
  const region = env.text("S3_REGION", "auto");
  const accessKeyId = env.optional("S3_ACCESS_KEY_ID", {
    aliases: ["CF_R2_ACCESS_KEY"],
    secret: true,
  });
  const secretAccessKey = env.optional("S3_SECRET_ACCESS_KEY", {
    aliases: ["CF_R2_SECRET_KEY"],
    secret: true,
  });
  const signingSecret = env.optional("DISK_SIGNING_SECRET", { secret: true });
  const dialect = env.choice("S3_DIALECT", guessDialect(endpoint), [
    "aws",
    "r2",
    "ceph",
    "ceph-tiered",
  ]);
  const parts = { S3_ENDPOINT: endpoint, S3_BUCKET: bucket, S3_ACCESS_KEY_ID: accessKeyId };
  const given = { ...parts, S3_SECRET_ACCESS_KEY: secretAccessKey };
  const missing = Object.entries(given).filter(([, value]) => value === undefined);
  if (endpoint && bucket && accessKeyId && secretAccessKey) {
    return { kind: "s3", endpoint, bucket, region, accessKeyId, secretAccessKey, dialect };
  }
  if (missing.length < Object.keys(given).length) {
    for (const [name] of missing) {
      env.problems.push(`${name} is missing, while other S3 variables are set`);
    }
  }
  return { kind: "disk", root: `${dataDir}/objects`, signingSecret };
}

function readStorageLimits(env: EnvReader) {
  return {
    /** Multipart part size, and the most bytes of a body that are held before staging. */
    partSizeBytes: env.bytes("UPLOAD_PART_SIZE", 8 * MIB, { min: 5 * MIB, max: 512 * MIB }),
    requestTimeoutMs: env.durationMs("STORAGE_TIMEOUT", 15 * SECOND, {
      min: 100,
      max: 600 * SECOND,
    }),
  };
}

function readKv(
  env: EnvReader,
  where: { dataDir: string; production: boolean; onDenoDeploy: boolean },
): KvConfig {
  const url = env.optional("DENO_KV_URL");
  const accessToken = env.optional("DENO_KV_ACCESS_TOKEN", { secret: true });
  if (url === "none") return { kind: "none" };
  if (url !== undefined) {
    return /^https?:\/\//.test(url)
      ? { kind: "remote", url, accessToken }
      : { kind: "local", path: url };
  }
  if (where.onDenoDeploy) return { kind: "platform" };
  if (where.production) return { kind: "none" };
  return { kind: "local", path: `${where.dataDir}/kv.sqlite3` };
}

function readAdminKey(env: EnvReader): string | undefined {
  const key = env.optional("FACET_ADMIN_KEY", { secret: true });
  if (key !== undefined && !/^[\x21-\x7e]{16,512}$/.test(key)) {
    env.problems.push("FACET_ADMIN_KEY must be 16 to 512 printable characters without spaces");
  }
  return key;
}

function readUpload(env: EnvReader) {
  return {
    maxBytes: env.bytes("MAX_UPLOAD_SIZE", 5 * GIB, { min: 1, max: 5 * TIB }),
    idleTimeoutMs: env.durationMs("UPLOAD_IDLE_TIMEOUT", 30 * SECOND, { min: 100, max: HOUR }),
    maxFilesPerForm: env.integer("UPLOAD_MAX_FILES", 100, { min: 1, max: 10_000 }),
    /** Bytes of bodies held in memory by all uploads of this instance together. */
    heldBytes: env.bytes("UPLOAD_MEMORY", 128 * MIB, { min: 16 * MIB, max: 64 * GIB }),
    concurrentPerKey: env.integer("UPLOAD_CONCURRENCY_PER_KEY", 64, { min: 1, max: 10_000 }),
    sessionTtlMs: env.durationMs("UPLOAD_SESSION_TTL", DAY, { min: 60 * SECOND, max: 30 * DAY }),
  };
}

function readVariants(env: EnvReader) {
  return {
    widths: env.integers("VARIANT_WIDTHS", [320, 640, 1024, 1920], { min: 10, max: 4096 }),
    heights: env.integers("VARIANT_HEIGHTS", [240, 480, 768, 1080], { min: 10, max: 4096 }),
    qualities: env.integers("VARIANT_QUALITIES", [50, 60, 70, 75, 80, 85, 90, 95], {
      min: 10,
      max: 100,
    }),
    formats: env.choices("VARIANT_FORMATS", ["webp", "jpg", "png"], [
      "webp",
      "jpg",
      "png",
      "avif",
    ]),
    memoryCacheBytes: env.bytes("MEMORY_CACHE_SIZE", 64 * MIB, { min: 0, max: 64 * GIB }),
    /** Variants above this size are not shared through KV. */
    kvMaxValueBytes: env.bytes("KV_MAX_VARIANT_SIZE", 600 * KIB, { min: 0, max: 700 * KIB }),
    kvTtlMs: env.durationMs("KV_TTL", 30 * DAY, { min: 60 * SECOND, max: 365 * DAY }),
  };
}

function readRender(env: EnvReader) {
  return {
    workers: env.integer("RENDER_WORKERS", 2, { min: 1, max: 64 }),
    timeLimitMs: env.durationMs("RENDER_TIMEOUT", 15 * SECOND, { min: 100, max: 300 * SECOND }),
    queueLimit: env.integer("RENDER_QUEUE", 64, { min: 0, max: 10_000 }),
    memoryBudgetBytes: env.bytes("RENDER_MEMORY", 256 * MIB, { min: 16 * MIB, max: 64 * GIB }),
    /** By how much render threads give way to those that answer requests; Linux only. */
    niceness: env.integer("RENDER_NICENESS", 5, { min: 0, max: 19 }),
    maxPixels: env.integer("RENDER_MAX_PIXELS", 50_000_000, { min: 1_000, max: 1_000_000_000 }),
    maxSourceBytes: env.bytes("RENDER_MAX_SOURCE", 64 * MIB, { min: KIB, max: 2 * GIB }),
  };
}

function refuseDevelopmentDefaults(config: Config, problems: string[]): void {
  if (config.database.kind === "embedded") {
    problems.push("DATABASE_URL (or PGHOST …) is required in production");
  }
  if (config.storage.kind === "disk") {
    problems.push(
      "S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY are required in production",
    );
  }
  if (config.adminKey?.startsWith(DEVELOPMENT_KEY_PREFIX)) {
    problems.push("FACET_ADMIN_KEY is a development key; make a new one for production");
  }
}
