import { type Context, Hono } from "hono";
import { type ContentHash, isContentHash } from "../../core/content_hash.ts";
import { AppError } from "../../errors.ts";
import type { PurgeTarget } from "../../purge/ports.ts";
import type { PurgeService } from "../../purge/purge_service.ts";
import { assetTag } from "../caching.ts";
import type { HttpEnv } from "../http_env.ts";
import { type Authenticator, requireScope } from "../middleware/authentication.ts";
import { readJsonObject } from "../read_json.ts";

/** What the purge route needs. */
export interface PurgeRoutesOptions {
  readonly purges: PurgeService;
  readonly authenticator: Authenticator;
}

/** Longest body that is read. */
const MAX_BODY_BYTES = 4096;

/** A tag as CDNs take it: printable, without the comma that separates tags. */
const TAG = /^[\x21-\x2b\x2d-\x7e]{1,256}$/;
const ASSET_TAG = /^asset-([0-9a-f]{64})$/;

/**
 * `POST /v1/admin/purge` with `{"hash":"…"}` or `{"tag":"…"}`: 200 with a receipt when all of it is
 * done, 202 when some of it is still to be tried.
 */
export function purgeRoutes(options: PurgeRoutesOptions): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  routes.post("/v1/admin/purge", requireScope("admin", options.authenticator), async (c) => {
    const receipt = await options.purges.purge(await readTarget(c), "admin");
    c.header("cache-control", "no-store");
    return c.json(receipt, receipt.complete ? 200 : 202);
  });
  return routes;
}

async function readTarget(c: Context<HttpEnv>): Promise<PurgeTarget> {
  const { hash, tag } = await readJsonObject(c.req.raw, { maxBytes: MAX_BODY_BYTES });
  if (typeof hash === "string" && tag === undefined && isContentHash(hash)) {
    return { hash, tag: assetTag(hash) };
  }
  if (typeof tag === "string" && hash === undefined && TAG.test(tag) && tag !== "*") {
    // Tags are compared without regard to case; ours are lower-case.
    const asset = ASSET_TAG.exec(tag.toLowerCase());
    return asset ? { hash: asset[1] as ContentHash, tag: asset[0] } : { hash: null, tag };
  }
  throw new AppError("invalid_request", 'A purge names one of "hash" and "tag"');
}
