import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { Hono } from "hono";
import type { ContentHash } from "../../src/core/content_hash.ts";
import type { SigningKeys } from "../../src/core/url_signature.ts";
import { parseVariantPresets } from "../../src/core/variant_alias.ts";
import { DEFAULT_ALLOW_LIST, VARIANT_MEDIA_TYPES } from "../../src/core/variant_spec.ts";
import { AppError } from "../../src/errors.ts";
import { createHttpApp } from "../../src/http/app.ts";
import type { HttpEnv } from "../../src/http/http_env.ts";
import { createImmediateVariants } from "../../src/http/immediate_variants.ts";
import { originalRoutes } from "../../src/http/routes/originals.ts";
import { variantRoutes, type VariantRoutesOptions } from "../../src/http/routes/variants.ts";
import type { RenderSpec } from "../../src/image/render_spec.ts";
import { createAssetDirectory } from "../../src/variants/asset_directory.ts";
import { createOriginalService } from "../../src/variants/original_service.ts";
import type {
  AssetRecord,
  ImageRenderer,
  OriginalBody,
  OriginalReader,
  RenderLease,
  VariantCache,
} from "../../src/variants/ports.ts";
import {
  createVariantService,
  type VariantService,
  type VariantServiceOptions,
} from "../../src/variants/variant_service.ts";

/** An asset with its bytes, as the fixture serves it. */
export interface FixtureAsset {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly record: AssetRecord;
}

/** Makes an asset whose hash is that of its bytes. */
export function makeAsset(text: string, record: Partial<AssetRecord> = {}): FixtureAsset {
  const bytes = new Uint8Array(Buffer.from(text));
  const hash = createHash("sha256").update(bytes).digest("hex") as ContentHash;
  return {
    bytes,
    record: {
      hash,
      state: "READY",
      sizeBytes: bytes.byteLength,
      mediaType: "image/jpeg",
      width: 4000,
      height: 3000,
      hasAlpha: false,
      focus: null,
      visibility: "public",
      flagged: null,
      restoreRequestedAt: null,
      fileName: null,
      ...record,
    },
  };
}

/** Delivery over a catalog, a store and a renderer in memory that count what is asked of them. */
export interface DeliveryFixture {
  readonly app: Hono<HttpEnv>;
  /** What the variants' routes of `app` are made of. */
  readonly parts: VariantRoutesOptions;
  readonly service: VariantService;
  readonly lookups: string[];
  readonly reads: string[];
  readonly renders: RenderSpec[];
  readonly reportedMissing: string[];
  readonly clock: { nowMs: number };
  add(asset: FixtureAsset): void;
  /** Replaces what the catalog or the store does. */
  readonly faults: {
    lookup?: () => Promise<AssetRecord | null>;
    open?: (hash: string) => Promise<OriginalBody | null>;
    render?: (source: Uint8Array, spec: RenderSpec, signal: AbortSignal) => Promise<Uint8Array>;
  };
}

/** What a fixture may be given. */
export interface FixtureOptions {
  readonly keys?: SigningKeys;
  readonly requireSignatures?: boolean;
  readonly presets?: string;
  readonly cache?: VariantCache;
  readonly leases?: RenderLease;
  readonly service?: Partial<VariantServiceOptions>;
  readonly admitRender?: () => void;
}

/** Builds a fixture. */
export function createDeliveryFixture(options: FixtureOptions = {}): DeliveryFixture {
  const assets = new Map<string, FixtureAsset>();
  const lookups: string[] = [];
  const reads: string[] = [];
  const renders: RenderSpec[] = [];
  const reportedMissing: string[] = [];
  const clock = { nowMs: 1_000_000 };
  const faults: DeliveryFixture["faults"] = {};
  const directory = createAssetDirectory({
    lookup: {
      find(hash) {
        lookups.push(hash);
        return faults.lookup?.() ?? Promise.resolve(assets.get(hash)?.record ?? null);
      },
    },
    nowMs: () => clock.nowMs,
  });
  const reader: OriginalReader = {
    open(hash, { range }) {
      reads.push(hash);
      if (faults.open) return faults.open(hash);
      const bytes = assets.get(hash)?.bytes;
      if (!bytes) return Promise.resolve(null);
      const part = range ? bytes.subarray(range.start, range.end + 1) : bytes;
      return Promise.resolve({
        body: ReadableStream.from([part]),
        lengthBytes: part.byteLength,
        sizeBytes: bytes.byteLength,
      });
    },
  };
  const renderer: ImageRenderer = {
    async render(source, spec, { signal }) {
      renders.push(spec);
      const bytes = await faults.render?.(source, spec, signal) ?? renderText(source, spec);
      return {
        bytes: new Uint8Array(bytes),
        mediaType: VARIANT_MEDIA_TYPES[spec.format],
        width: spec.width!,
        height: spec.height!,
        stages: { decode: 1, encode: 2 },
      };
    },
  };
  const missing = {
    reportMissing(hash: string) {
      reportedMissing.push(hash);
      return Promise.resolve();
    },
  };
  const nowMs = () => clock.nowMs;
  const service = createVariantService({
    directory,
    reader,
    renderer,
    missing,
    rendererVersion: "r1",
    cache: options.cache ?? null,
    leases: options.leases ?? null,
    nowMs,
    ...options.service,
  });
  const originals = createOriginalService({ directory, reader, missing });
  const presets = parseVariantPresets(options.presets ?? "");
  const signatures = {
    keys: options.keys ?? null,
    required: options.requireSignatures ?? false,
    nowSeconds: () => clock.nowMs / 1000,
  };
  const allowList = { ...DEFAULT_ALLOW_LIST, presets: [...presets.values()] };
  const parts: VariantRoutesOptions = {
    service,
    originals,
    allowList,
    presets,
    signatures,
    cacheId: "variants-r1",
    ...(options.admitRender ? { admitRender: options.admitRender } : {}),
  };
  const app = createHttpApp({
    answerAtOnce: createImmediateVariants(parts),
    newId: () => crypto.randomUUID(),
    nowMs,
    accessLog: undefined,
    logger: { log() {}, flush() {} },
    routes: [
      variantRoutes(parts),
      originalRoutes({ service: originals, signatures }),
    ],
  });
  return {
    app,
    parts,
    service,
    lookups,
    reads,
    renders,
    reportedMissing,
    clock,
    faults,
    add: (asset) => void assets.set(asset.record.hash, asset),
  };
}

/** What the fixture's renderer makes: bytes that tell source and spec. */
export function renderText(source: Uint8Array, spec: RenderSpec): Uint8Array {
  return Buffer.from(JSON.stringify([Buffer.from(source).toString(), spec]));
}

/** A failure of the catalog. */
export function catalogDown(): Promise<never> {
  return Promise.reject(new AppError("catalog_unavailable", "The catalog is down"));
}
