import { Hono } from "hono";
import { AppError } from "../../errors.ts";
import type { RestoreService } from "../../lifecycle/restore_service.ts";
import type { HttpEnv } from "../http_env.ts";
import { type Authenticator, requireScope } from "../middleware/authentication.ts";

/** What the restore route needs. */
export interface RestoreRoutesOptions {
  readonly restores: Pick<RestoreService, "restore">;
  readonly authenticator: Authenticator;
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Archives take hours; asking more often than this is of no use. Seconds. */
const RETRY_AFTER_SECONDS = 300;

/**
 * `POST /v1/assets/{id}/restore`: 200 when the asset can be served, 202 with `Retry-After` while the
 * archive is thawing it.
 */
export function restoreRoutes(options: RestoreRoutesOptions): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  const path = "/v1/assets/:id/restore";
  routes.post(path, requireScope("upload", options.authenticator), async (c) => {
    const assetId = c.req.param("id") ?? "";
    if (!UUID.test(assetId)) {
      throw new AppError("invalid_id", "An asset id is a UUID in lower case");
    }
    const { tenant, keyId } = c.get("principal");
    const { row, state } = await options.restores.restore(tenant, assetId, keyId);
    c.header("cache-control", "no-store");
    const ready = state === "READY";
    if (!ready) c.header("retry-after", String(RETRY_AFTER_SECONDS));
    const { contentHash } = row;
    const answer = { assetId, contentHash, state: ready ? "READY" : "ARCHIVED", restoring: !ready };
    return c.json(answer, ready ? 200 : 202);
  });
  return routes;
}
