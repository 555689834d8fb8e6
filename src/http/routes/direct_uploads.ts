/**
 * Direct uploads: `POST /v1/uploads/direct` hands out signed URLs of the bucket, and
 * `POST /v1/uploads/direct/{id}/complete` makes an asset of what was sent there.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import { type ContentHash, parseContentHash } from "../../core/content_hash.ts";
import { AppError } from "../../errors.ts";
import type { DirectPlan, DirectUploads } from "../../uploads/direct.ts";
import { buildUploadAnswer, formatAsset } from "../asset_answer.ts";
import type { HttpEnv } from "../http_env.ts";
import { type Authenticator, requireScope } from "../middleware/authentication.ts";
import { readJsonObject } from "../read_json.ts";
import type { UploadAdmission } from "../upload_admission.ts";
import { parseVisibility } from "../upload_headers.ts";

/** What the routes need. */
export interface DirectRoutesDeps {
  readonly uploads: DirectUploads;
  readonly authenticator: Authenticator;
  readonly admission: UploadAdmission;
}

/** Longest JSON body. Bytes. */
const MAX_JSON_BYTES = 16 * 1024;

const PATH = "/v1/uploads/direct";
const ITEM = `${PATH}/:id{[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}}`;

/** `/v1/uploads/direct` and the uploads under it. */
export function directUploadRoutes(deps: DirectRoutesDeps): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  const mayUpload = requireScope("upload", deps.authenticator);
  const find = (c: Context<HttpEnv>) =>
    deps.uploads.find(c.get("principal").tenant, c.req.param("id") ?? "");
  routes.post(PATH, mayUpload, (c) => plan(c, deps));
  routes.post(`${ITEM}/complete`, mayUpload, async (c) => {
    return buildUploadAnswer(await deps.uploads.complete(await find(c)));
  });
  routes.get(ITEM, mayUpload, async (c) => {
    const { session, asset } = await find(c);
    return Response.json({
      uploadId: session.sessionId,
      state: session.state,
      sizeBytes: session.sizeBytes,
      expiresAt: session.expiresAt.toISOString(),
      asset: asset && formatAsset(asset),
    }, { headers: { "cache-control": "no-store" } });
  });
  routes.delete(ITEM, mayUpload, async (c) => {
    await deps.uploads.abort((await find(c)).session);
    return new Response(null, { status: 204, headers: { "cache-control": "no-store" } });
  });
  return routes;
}

async function plan(c: Context<HttpEnv>, deps: DirectRoutesDeps): Promise<Response> {
  const wish = parseWish(await readJsonObject(c.req.raw, { maxBytes: MAX_JSON_BYTES }));
  const { tenant, keyId } = c.get("principal");
  // The bytes never pass here, so they are counted when they are promised.
  await deps.admission.charge(c.get("principal"), wish.sizeBytes);
  const planned = await deps.uploads.plan({ ...wish, tenant, keyId, rawMetadata: null });
  return Response.json(formatPlan(planned), {
    status: 201,
    headers: { location: `${PATH}/${planned.sessionId}`, "cache-control": "no-store" },
  });
}

function formatPlan(planned: DirectPlan): Record<string, unknown> {
  return {
    uploadId: planned.sessionId,
    expiresAt: planned.expiresAt.toISOString(),
    partSizeBytes: planned.partSizeBytes,
    parts: planned.parts.map(({ partNumber, offsetBytes, sizeBytes, request }) => ({
      partNumber,
      offsetBytes,
      sizeBytes,
      method: request.method,
      url: request.url,
      headers: request.headers,
    })),
  };
}

function parseWish(json: Record<string, unknown>) {
  const { sizeBytes } = json;
  if (typeof sizeBytes !== "number" || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw new AppError("invalid_request", "sizeBytes must be a number of bytes");
  }
  const sha256 = optionalText(json, "sha256", 64);
  return {
    sizeBytes,
    fileName: optionalText(json, "fileName", 1024),
    claimedType: optionalText(json, "contentType", 255),
    expectedHash: sha256 === null ? null : parseContentHash(sha256) as ContentHash | null,
    visibility: parseVisibility(optionalText(json, "visibility", 16)) ?? null,
  };
}

function optionalText(
  json: Record<string, unknown>,
  name: string,
  maxLength: number,
): string | null {
  const value = json[name];
  if (value === undefined || value === null) return null;
  if (typeof value === "string" && value.length <= maxLength) return value;
  throw new AppError("invalid_request", `${name} must be a text of up to ${maxLength} characters`);
}
