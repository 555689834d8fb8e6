/**
 * The JSON that goes in and out, as JSON Schema (draft 2020-12). Tests hold the service's answers
 * against it.
 *
 * @module
 */
import { TRANSITIONS } from "../../core/asset_state.ts";
import { DRIFT_KINDS } from "../../core/drift.ts";
import { ERROR_CODES } from "../../errors.ts";
import type { Schema } from "./operation.ts";

const TEXT = { type: "string" };
const TEXT_OR_NULL = { type: ["string", "null"] };
const COUNT = { type: "integer", minimum: 0 };
const COUNT_OR_NULL = { type: ["integer", "null"], minimum: 0 };
const BOOLEAN = { type: "boolean" };
const UUID = { type: "string", format: "uuid" };
const HASH = { type: "string", pattern: "^[0-9a-f]{64}$" };
const INSTANT = { type: "string", format: "date-time" };
const VISIBILITY = { enum: ["public", "private"] };
const SHARE = { type: "number", minimum: 0, maximum: 1 };

/** An object that has all of these members. */
function record(properties: Readonly<Record<string, Schema>>, description?: string): Schema {
  const required = Object.keys(properties);
  return { type: "object", ...(description ? { description } : {}), properties, required };
}

/** An object of whose members some may be absent, and that takes no others. */
function request(properties: Readonly<Record<string, Schema>>, required: string[] = []): Schema {
  return { type: "object", properties, required };
}

function list(items: Schema): Schema {
  return { type: "array", items };
}

/** Refers to one of {@linkcode SCHEMAS}. */
export function ref(name: keyof typeof SCHEMAS): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

function local(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

function orNull(schema: Schema): Schema {
  return { oneOf: [schema, { type: "null" }] };
}

const ASSET = {
  assetId: UUID,
  contentHash: HASH,
  sizeBytes: COUNT,
  mimeType: { ...TEXT, description: "Sniffed from the bytes" },
  state: { enum: Object.keys(TRANSITIONS) },
  width: { ...COUNT_OR_NULL, description: "As a viewer sees it: orientation applied. Pixels" },
  height: COUNT_OR_NULL,
  orientation: { type: ["integer", "null"], minimum: 1, maximum: 8 },
  frames: COUNT_OR_NULL,
  bitDepth: COUNT_OR_NULL,
  colorModel: TEXT_OR_NULL,
  hasAlpha: { type: ["boolean", "null"] },
  iccName: TEXT_OR_NULL,
  fileName: TEXT_OR_NULL,
  visibility: VISIBILITY,
  createdAt: INSTANT,
};

const SPANNING = {
  uploadId: UUID,
  state: { enum: ["open", "completing", "done", "aborted"] },
  sizeBytes: COUNT,
  expiresAt: INSTANT,
  asset: orNull(local("Asset")),
};

const RUN_SCOPE = {
  runId: UUID,
  dryRun: BOOLEAN,
  repair: BOOLEAN,
  firstShard: COUNT,
  lastShard: COUNT,
};

const FOCAL_POINT = orNull(record({ x: SHARE, y: SHARE }, "From the left and the top"));
const KINDS = record(Object.fromEntries(DRIFT_KINDS.map((kind) => [kind, COUNT])));

/** Schemas by name. */
export const SCHEMAS = {
  Problem: record({
    type: { ...TEXT, description: "`urn:facet:problem:{code}`" },
    title: TEXT,
    status: { type: "integer", minimum: 400, maximum: 599 },
    detail: TEXT,
    code: { enum: Object.keys(ERROR_CODES) },
    instance: { ...TEXT, description: "`urn:facet:request:{X-Request-Id}`" },
  }, "RFC 9457. Some codes have members of their own, such as `nearest` and `limitBytes`"),
  Asset: record(ASSET, "It holds no URLs: those follow from the hash"),
  AssetDetails: record({
    ...ASSET,
    thumbHash: { ...TEXT_OR_NULL, description: "Base64; null until it is computed" },
    dominantColor: { type: ["string", "null"], pattern: "^#[0-9a-f]{6}$" },
  }),
  AssetPage: record({
    assets: list(local("AssetDetails")),
    nextCursor: { ...TEXT_OR_NULL, description: "Null on the last page" },
  }),
  FormResults: record({
    results: list({
      type: "object",
      properties: {
        field: TEXT,
        fileName: TEXT_OR_NULL,
        status: { type: "integer" },
        location: TEXT,
        asset: local("Asset"),
        problem: { type: "object" },
      },
      required: ["field", "fileName", "status"],
    }),
  }, "One result for each file of a form, in order"),
  VariantList: record({
    contentHash: HASH,
    variants: list(record({
      path: { ...TEXT, description: "The path of its URL" },
      fit: { enum: ["cover", "contain", "inside", "width", "height"] },
      width: COUNT_OR_NULL,
      height: COUNT_OR_NULL,
      quality: COUNT,
      format: TEXT,
      rendered: BOOLEAN,
      bytes: COUNT_OR_NULL,
      hits: COUNT,
    })),
    focalPoint: FOCAL_POINT,
    aliases: list(record({
      path: { ...TEXT, description: "The path of a URL that leads to a variant" },
      preset: TEXT_OR_NULL,
      fit: { enum: ["cover", "contain", "inside", "width", "height"] },
      width: COUNT_OR_NULL,
      height: COUNT_OR_NULL,
      quality: COUNT,
      format: { ...TEXT, description: "auto where Accept decides" },
    })),
  }),
  FocalPointChange: request({ focalPoint: FOCAL_POINT }, ["focalPoint"]),
  FocalPointResult: record({
    assetId: UUID,
    contentHash: HASH,
    focalPoint: FOCAL_POINT,
    purges: list(local("PurgeReceipt")),
  }),
  Deletion: record({ contentHash: HASH, purges: list(local("PurgeReceipt")) }),
  Restore: record({
    assetId: UUID,
    contentHash: HASH,
    state: { enum: ["READY", "ARCHIVED"] },
    restoring: BOOLEAN,
  }),
  PurgeRequest: {
    oneOf: [request({ hash: HASH }, ["hash"]), request({ tag: TEXT }, ["tag"])],
  },
  PurgeReceipt: record({
    tag: TEXT,
    contentHash: orNull(HASH),
    layers: list(record({
      layer: { enum: ["object", "memory", "kv", "cdn"] },
      status: { enum: ["purged", "failed", "skipped"] },
      removed: COUNT_OR_NULL,
    })),
    complete: { ...BOOLEAN, description: "Whether nothing is left to do" },
    retried: { ...BOOLEAN, description: "Whether what is left will be tried again" },
  }),
  ResumableUpload: record({ ...SPANNING, offsetBytes: COUNT }),
  DirectUpload: record(SPANNING),
  DirectRequest: request({
    sizeBytes: { type: "integer", minimum: 1 },
    fileName: { ...TEXT_OR_NULL, maxLength: 1024 },
    contentType: { ...TEXT_OR_NULL, maxLength: 255 },
    sha256: { ...orNull(HASH), description: "What the bytes must have" },
    visibility: { enum: ["public", "private", null] },
  }, ["sizeBytes"]),
  DirectPlan: record({
    uploadId: UUID,
    expiresAt: INSTANT,
    partSizeBytes: COUNT,
    parts: list(record({
      partNumber: { type: "integer", minimum: 1 },
      offsetBytes: COUNT,
      sizeBytes: COUNT,
      method: TEXT,
      url: { ...TEXT, format: "uri-reference" },
      headers: { type: "object", additionalProperties: TEXT },
    })),
  }, "What to send where"),
  ReconcileRequest: request({
    dryRun: { ...BOOLEAN, default: false },
    repair: { ...BOOLEAN, default: false, description: "Moves orphans to quarantine" },
    shard: { ...TEXT, pattern: "^raw/[0-9a-f]{2}/$" },
  }),
  ReconcileStart: record({ ...RUN_SCOPE, resumedAtShard: COUNT }),
  ReconcileRun: record({
    ...RUN_SCOPE,
    status: { enum: ["running", "finished", "failed", "interrupted"] },
    nextShard: COUNT,
    startedAt: INSTANT,
    finishedAt: orNull(INSTANT),
    requestedBy: TEXT,
    error: TEXT_OR_NULL,
    counts: orNull({
      type: "object",
      properties: { rows: COUNT, objects: COUNT, found: KINDS, acted: KINDS },
      required: ["rows", "objects", "found", "acted"],
    }),
    mismatchCount: COUNT_OR_NULL,
    driftRatio: { type: ["number", "null"], minimum: 0 },
    findings: list(record({
      kind: { enum: [...DRIFT_KINDS, "hash_mismatch"] },
      key: TEXT,
      action: TEXT_OR_NULL,
      details: { type: "object" },
    })),
  }),
  CostReport: record({
    days: { type: "number", minimum: 0, description: "Measured; of today what has passed" },
    profile: { type: "object" },
    usage: { type: "object" },
    hitPercent: { type: ["number", "null"] },
    comparison: { type: "object" },
    projections: list(record({ factor: COUNT, comparison: { type: "object" } })),
    reference: { type: ["object", "null"] },
    payback: { type: ["object", "null"] },
    assumptions: list(TEXT),
  }),
  Alive: record({ status: { const: "ok" } }),
  Readiness: record({
    status: { enum: ["ready", "shutting down", "not ready"] },
    dependencies: {
      type: "object",
      additionalProperties: {
        type: "object",
        properties: {
          status: { enum: ["up", "degraded", "down", "disabled"] },
          latencyMs: COUNT,
          detail: TEXT,
        },
        required: ["status"],
      },
    },
  }),
} as const satisfies Readonly<Record<string, Schema>>;
