import { Buffer } from "node:buffer";
import { type Context, Hono } from "hono";
import type { AssetService } from "../../assets/asset_service.ts";
import { parseAssetSelector } from "../../assets/asset_selector.ts";
import { parseListQuery } from "../../assets/list_query.ts";
import type { Asset } from "../../assets/ports.ts";
import type { ContentHash } from "../../core/content_hash.ts";
import type { PurgeReceipt, PurgeService } from "../../purge/purge_service.ts";
import { formatAsset } from "../asset_answer.ts";
import type { HttpEnv } from "../http_env.ts";
import { type Authenticator, requireScope } from "../middleware/authentication.ts";

/** What the asset routes need. */
export interface AssetRoutesDeps {
  readonly assets: AssetService;
  readonly authenticator: Authenticator;
  /** Works off what a deletion has left to purge. */
  readonly purges: Pick<PurgeService, "runFor">;
  /** Is told of purges that could not even be begun: the outbox keeps them. */
  readonly reportPostponed: (hash: ContentHash, error: unknown) => void;
}

/**
 * Metadata, lists and deletion of a tenant's assets: `GET /v1/assets`, and `GET|HEAD|DELETE
 * /v1/assets/{id or hash}`. Deleting the last reference answers with a receipt of what was purged:
 * 200 when that is all of it, 202 when some of it is still to be tried.
 */
export function assetRoutes(deps: AssetRoutesDeps): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  const mayRead = requireScope("read", deps.authenticator);
  const mayUpload = requireScope("upload", deps.authenticator);
  routes.get("/v1/assets", mayRead, (c) => listAssets(c, deps));
  routes.get("/v1/assets/:asset", mayRead, (c) => describeAsset(c, deps));
  routes.delete("/v1/assets/:asset", mayUpload, (c) => deleteAsset(c, deps));
  return routes;
}

async function listAssets(c: Context<HttpEnv>, deps: AssetRoutesDeps): Promise<Response> {
  const query = parseListQuery(new URL(c.req.url).searchParams);
  const page = await deps.assets.list(c.get("principal").tenant, query);
  return answer({ assets: page.assets.map(formatDetails), nextCursor: page.nextCursor });
}

async function describeAsset(c: Context<HttpEnv>, deps: AssetRoutesDeps): Promise<Response> {
  const selector = parseAssetSelector(c.req.param("asset") ?? "");
  return answer(formatDetails(await deps.assets.get(c.get("principal").tenant, selector)));
}

async function deleteAsset(c: Context<HttpEnv>, deps: AssetRoutesDeps): Promise<Response> {
  const selector = parseAssetSelector(c.req.param("asset") ?? "");
  const { tenant, keyId } = c.get("principal");
  const { contentHash, contentDeleted } = await deps.assets.delete(tenant, selector, {
    actor: keyId,
  });
  if (!contentDeleted) {
    return new Response(null, { status: 204, headers: { "cache-control": "no-store" } });
  }
  const purges = await purgeNow(contentHash, deps);
  const complete = purges.length > 0 && purges.every((receipt) => receipt.complete);
  return answer({ contentHash, purges }, complete ? 200 : 202);
}

/** The deletion itself is done: whatever fails here is tried again from the outbox. */
async function purgeNow(hash: ContentHash, deps: AssetRoutesDeps): Promise<PurgeReceipt[]> {
  try {
    return await deps.purges.runFor(hash);
  } catch (error) {
    deps.reportPostponed(hash, error);
    return [];
  }
}

/** What an upload answers, and what is computed afterwards. */
function formatDetails(asset: Asset): Record<string, unknown> {
  return {
    ...formatAsset(asset),
    thumbHash: asset.thumbHash && Buffer.from(asset.thumbHash).toString("base64"),
    dominantColor: asset.dominantColor,
  };
}

/** Metadata belongs to whoever holds the key: no cache keeps it. */
function answer(body: unknown, status = 200): Response {
  return Response.json(body, { status, headers: { "cache-control": "no-store" } });
}
