import { type Context, Hono } from "hono";
import { type ContentHash, parseContentHash } from "../../core/content_hash.ts";
import type { VariantPresets } from "../../core/variant_alias.ts";
import { AppError } from "../../errors.ts";
import type { PurgeService } from "../../purge/purge_service.ts";
import {
  changeFocalPoint,
  type FocalPointStore,
  parseFocalPoint,
} from "../../variants/focal_points.ts";
import {
  listAliases,
  listVariants,
  type ListVariantsOptions,
} from "../../variants/list_variants.ts";
import type { AssetLookup } from "../../variants/ports.ts";
import type { HttpEnv } from "../http_env.ts";
import { type Authenticator, requireScope } from "../middleware/authentication.ts";
import { readJsonObject } from "../read_json.ts";

/** What the routes about an asset's variants need. */
export interface AssetVariantRoutesOptions extends ListVariantsOptions {
  readonly authenticator: Authenticator;
  readonly presets: VariantPresets;
  readonly assets: AssetLookup;
  /** Whether a tenant has uploaded this content. */
  readonly isKnownTo: (tenant: string, hash: ContentHash) => Promise<boolean>;
  readonly focalPoints: FocalPointStore;
  readonly purges: PurgeService;
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const MAX_BODY_BYTES = 4096;

/**
 * `GET /v1/assets/{hash}/variants` and `PATCH /v1/assets/{id}` (the focal point). Other methods of
 * the latter path belong to the asset routes.
 */
export function assetVariantRoutes(options: AssetVariantRoutesOptions): Hono<HttpEnv> {
  const { authenticator } = options;
  const routes = new Hono<HttpEnv>();
  routes.get(
    "/v1/assets/:hash/variants",
    requireScope("read", authenticator),
    (c) => answerList(c, options),
  );
  routes.patch(
    "/v1/assets/:id",
    requireScope("upload", authenticator),
    (c) => answerPatch(c, options),
  );
  return routes;
}

async function answerList(
  c: Context<HttpEnv>,
  options: AssetVariantRoutesOptions,
): Promise<Response> {
  const hash = parseContentHash(c.req.param("hash") ?? "");
  const known = await options.isKnownTo(c.get("principal").tenant, hash);
  const record = known ? await options.assets.find(hash) : null;
  if (!record) throw new AppError("asset_not_found", "There is no such asset");
  c.header("cache-control", "private, no-store");
  return c.json({
    contentHash: hash,
    focalPoint: record.focus,
    variants: await listVariants(record, options),
    aliases: listAliases(hash, options),
  });
}

async function answerPatch(
  c: Context<HttpEnv>,
  options: AssetVariantRoutesOptions,
): Promise<Response> {
  const assetId = c.req.param("id") ?? "";
  if (!UUID.test(assetId)) throw new AppError("invalid_id", "An asset id is a UUID in lower case");
  const body = await readJsonObject(c.req.raw, { maxBytes: MAX_BODY_BYTES });
  if (Object.keys(body).join() !== "focalPoint") {
    throw new AppError("invalid_request", 'Only "focalPoint" can be changed');
  }
  const focus = parseFocalPoint(body.focalPoint);
  const { tenant } = c.get("principal");
  const hash = await changeFocalPoint(options.focalPoints, assetId, { tenant, focus });
  const purges = await options.purges.runFor(hash);
  c.header("cache-control", "private, no-store");
  return c.json({ assetId, contentHash: hash, focalPoint: focus, purges });
}
