/**
 * Resumable uploads by the tus protocol, version 1.0.0: core, creation, creation-with-upload,
 * expiration, checksum and termination.
 *
 * The answer that accepts the last byte names the asset in `Facet-Asset-Id` and
 * `Facet-Content-Hash`; so does HEAD afterwards, and `GET` tells the same as JSON.
 *
 * @module
 */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { AppError } from "../../errors.ts";
import type { UploadedAsset } from "../../uploads/ports.ts";
import type { AppendResult, SpanningSession } from "../../uploads/resumable_ports.ts";
import type { ResumableUploads } from "../../uploads/resumable.ts";
import { formatAsset } from "../asset_answer.ts";
import type { HttpEnv } from "../http_env.ts";
import { type Authenticator, requireScope } from "../middleware/authentication.ts";
import { takeRequestBody } from "../middleware/request_body.ts";
import {
  parseByteCount,
  parseUploadChecksum,
  parseUploadMetadata,
  TUS_CHECKSUM_ALGORITHMS,
  TUS_CONTENT_TYPE,
  TUS_EXTENSIONS,
  TUS_VERSION,
} from "../tus_headers.ts";
import type { UploadAdmission } from "../upload_admission.ts";
import {
  assertDeclaredSize,
  assertIdentityEncoding,
  parseContentLength,
} from "../upload_headers.ts";

/** What the routes need. */
export interface TusRoutesDeps {
  readonly uploads: ResumableUploads;
  readonly authenticator: Authenticator;
  readonly admission: UploadAdmission;
  /** Largest upload. Bytes. */
  readonly maxBytes: number;
}

const PATH = "/v1/uploads";
const ITEM = `${PATH}/:id{[0-9a-f-]{36}}`;

/** `/v1/uploads` and the uploads under it. */
export function tusRoutes(deps: TusRoutesDeps): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  const guards = [tusProtocol(), requireScope("upload", deps.authenticator)] as const;
  for (const path of [PATH, ITEM]) routes.options(path, () => describeServer(deps));
  routes.post(PATH, ...guards, (c) => create(c, deps));
  routes.patch(ITEM, ...guards, (c) => append(c, deps));
  routes.delete(ITEM, ...guards, (c) => terminate(c, deps));
  // tus 1.0: for clients whose environment knows no PATCH and no DELETE.
  routes.post(ITEM, ...guards, (c) => {
    const method = c.req.header("x-http-method-override");
    if (method === "PATCH") return append(c, deps);
    if (method === "DELETE") return terminate(c, deps);
    throw new AppError("invalid_header", "POST takes X-HTTP-Method-Override: PATCH or DELETE");
  });
  // HEAD comes to the handler of GET.
  routes.get(
    ITEM,
    ...guards,
    (c) => c.req.method === "HEAD" ? tellOffset(c, deps) : describe(c, deps),
  );
  return routes;
}

/** Middleware that speaks version 1.0.0 only, and says so in every answer. */
function tusProtocol(): MiddlewareHandler<HttpEnv> {
  return async function tusProtocol(c, next) {
    if (c.req.method === "GET") return await next();
    if (c.req.header("tus-resumable") !== TUS_VERSION) {
      throw new AppError("unsupported_tus_version", `Send Tus-Resumable: ${TUS_VERSION}`, {
        responseHeaders: { "tus-version": TUS_VERSION, "tus-resumable": TUS_VERSION },
      });
    }
    await next();
    c.res.headers.set("tus-resumable", TUS_VERSION);
  };
}

function describeServer(deps: TusRoutesDeps): Response {
  return new Response(null, {
    status: 204,
    headers: {
      "tus-resumable": TUS_VERSION,
      "tus-version": TUS_VERSION,
      "tus-extension": TUS_EXTENSIONS,
      "tus-max-size": String(deps.maxBytes),
      "tus-checksum-algorithm": TUS_CHECKSUM_ALGORITHMS,
    },
  });
}

async function create(c: Context<HttpEnv>, deps: TusRoutesDeps): Promise<Response> {
  if (c.req.header("upload-defer-length") !== undefined) {
    throw new AppError("invalid_header", "The length must be known: send Upload-Length");
  }
  if (c.req.header("upload-concat") !== undefined) {
    // Else each part of a parallel upload would become an asset of its own.
    throw new AppError("invalid_header", "Upload-Concat is not spoken: send one upload");
  }
  const sizeBytes = parseByteCount("Upload-Length", c.req.header("upload-length"));
  const metadata = parseUploadMetadata(c.req.header("upload-metadata"));
  const withUpload = c.req.header("content-type") === TUS_CONTENT_TYPE;
  // All headers are judged before there is an upload.
  const chunk = withUpload ? readChunkHeaders(c) : null;
  assertDeclaredSize(chunk?.contentLength, sizeBytes);
  const { tenant, keyId } = c.get("principal");
  const session = await deps.uploads.create({ ...metadata, tenant, keyId, sizeBytes });
  const headers = { location: `${PATH}/${session.sessionId}` };
  if (chunk === null) {
    return answer(201, {
      ...headers,
      ...formatProgress({ session, expiresAt: session.expiresAt }),
    });
  }
  const appended = await appendChunk(c, deps, session, { ...chunk, offsetBytes: 0 });
  return answer(201, { ...headers, ...formatProgress(appended) });
}

async function append(c: Context<HttpEnv>, deps: TusRoutesDeps): Promise<Response> {
  if (c.req.header("content-type") !== TUS_CONTENT_TYPE) {
    throw new AppError("unsupported_content_type", `The body must be ${TUS_CONTENT_TYPE}`);
  }
  const offsetBytes = parseByteCount("Upload-Offset", c.req.header("upload-offset"));
  const chunk = readChunkHeaders(c);
  const { session, asset } = await deps.uploads.find(c.get("principal").tenant, idOf(c));
  if (session.state === "done" && offsetBytes === session.sizeBytes && chunk.contentLength === 0) {
    return answer(204, formatProgress({ session, offsetBytes, asset }));
  }
  const appended = await appendChunk(c, deps, session, { ...chunk, offsetBytes });
  return answer(204, formatProgress(appended));
}

async function appendChunk(
  c: Context<HttpEnv>,
  deps: TusRoutesDeps,
  session: SpanningSession,
  chunk: ReturnType<typeof readChunkHeaders> & { readonly offsetBytes: number },
): Promise<AppendResult> {
  await using admitted = await deps.admission.admit(c.get("principal"), chunk.contentLength);
  const body = admitted.meter(takeRequestBody(c.req.raw));
  try {
    return await deps.uploads.append(session, { ...chunk, body });
  } catch (error) {
    throw admitted.failure ?? error;
  }
}

async function tellOffset(c: Context<HttpEnv>, deps: TusRoutesDeps): Promise<Response> {
  const { session, asset } = await deps.uploads.find(c.get("principal").tenant, idOf(c));
  return answer(200, {
    ...formatProgress({ session, expiresAt: session.expiresAt, asset }),
    "upload-length": String(session.sizeBytes),
    ...(session.rawMetadata ? { "upload-metadata": session.rawMetadata } : {}),
  });
}

async function describe(c: Context<HttpEnv>, deps: TusRoutesDeps): Promise<Response> {
  const { session, asset } = await deps.uploads.find(c.get("principal").tenant, idOf(c));
  return Response.json({
    uploadId: session.sessionId,
    state: session.state,
    offsetBytes: offsetOf(session),
    sizeBytes: session.sizeBytes,
    expiresAt: session.expiresAt.toISOString(),
    asset: asset && formatAsset(asset),
  }, { headers: { "cache-control": "no-store" } });
}

async function terminate(c: Context<HttpEnv>, deps: TusRoutesDeps): Promise<Response> {
  const { session } = await deps.uploads.find(c.get("principal").tenant, idOf(c));
  await deps.uploads.terminate(session);
  return answer(204, {});
}

function readChunkHeaders(c: Context<HttpEnv>) {
  assertIdentityEncoding(c.req.header("content-encoding") ?? null);
  return {
    contentLength: parseContentLength(c.req.header("content-length") ?? null),
    checksum: parseUploadChecksum(c.req.header("upload-checksum")),
  };
}

function idOf(c: Context<HttpEnv>): string {
  const id = c.req.param("id") ?? "";
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return id;
  throw new AppError("upload_not_found", "There is no such upload");
}

/** The offset moves to the end only when the bytes are an asset. */
function offsetOf(session: SpanningSession): number {
  return session.state === "done" ? session.sizeBytes : session.offsetBytes;
}

function formatProgress(progress: {
  readonly session: SpanningSession;
  readonly offsetBytes?: number;
  readonly expiresAt?: Date;
  readonly asset?: UploadedAsset | null;
  readonly result?: AppendResult["result"];
}): Record<string, string> {
  const { session, expiresAt } = progress;
  const asset = progress.asset ?? progress.result?.asset ?? null;
  const done = asset !== null || session.state === "done";
  return {
    "upload-offset": String(progress.offsetBytes ?? offsetOf(session)),
    ...(expiresAt && !done ? { "upload-expires": expiresAt.toUTCString() } : {}),
    ...(asset ? { "facet-asset-id": asset.assetId, "facet-content-hash": asset.contentHash } : {}),
  };
}

function answer(status: number, headers: Record<string, string>): Response {
  // tus 1.0: HEAD must not be cached, or a client resumes where it no longer is.
  return new Response(null, { status, headers: { ...headers, "cache-control": "no-store" } });
}
