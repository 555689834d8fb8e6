import { type Context, Hono } from "hono";
import { timingSafeEqual } from "node:crypto";
import { type ContentHash, parseContentHash } from "../../core/content_hash.ts";
import { AppError } from "../../errors.ts";
import type { Ingest, UploadRequest } from "../../uploads/ports.ts";
import { buildUploadAnswer } from "../asset_answer.ts";
import type { HttpEnv } from "../http_env.ts";
import { type Authenticator, requireScope } from "../middleware/authentication.ts";
import { takeRequestBody } from "../middleware/request_body.ts";
import type { UploadAdmission } from "../upload_admission.ts";
import { DEFAULT_FORM_LIMITS, type FormLimits } from "../multipart_form.ts";
import { assertDeclaredSize, readUploadHeaders } from "../upload_headers.ts";
import { uploadForm, type UploadFormDeps } from "./upload_form.ts";

/** What the upload routes need. */
export interface UploadRoutesDeps {
  readonly ingest: Ingest;
  readonly authenticator: Authenticator;
  readonly admission: UploadAdmission;
  /** Longest body of one asset. Bytes. */
  readonly maxBytes: number;
  /** Bounds of forms. @default {DEFAULT_FORM_LIMITS} */
  readonly form?: Partial<FormLimits> | undefined;
  /** Longest silence of a client, in milliseconds. @default {30000} */
  readonly idleTimeoutMs?: number | undefined;
  /** Bytes that must arrive during each `idleTimeoutMs` of waiting. @default {16384} */
  readonly minWindowBytes?: number | undefined;
  /** Is told of files of a form that failed by our fault. */
  readonly reportProblem?: UploadFormDeps["reportProblem"];
}

/**
 * Uploads in one request: `POST /v1/assets` with the bytes or a form as body, and `PUT /v1/assets/{hash}`
 * for those who know the hash. (Other methods on these paths belong to the asset routes.)
 */
export function uploadRoutes(deps: UploadRoutesDeps): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  const mayUpload = requireScope("upload", deps.authenticator);
  const formDeps: UploadFormDeps = {
    ...deps,
    form: { ...DEFAULT_FORM_LIMITS, ...deps.form },
    idleTimeoutMs: deps.idleTimeoutMs ?? 30_000,
    minWindowBytes: deps.minWindowBytes ?? 16 * 1024,
  };
  routes.post(
    "/v1/assets",
    mayUpload,
    (c) => isForm(c) ? uploadForm(c, formDeps) : uploadBody(c, deps),
  );
  routes.put("/v1/assets/:hash", mayUpload, (c) => uploadDeclared(c, deps));
  return routes;
}

function isForm(c: Context<HttpEnv>): boolean {
  return /^multipart\/form-data\b/i.test(c.req.header("content-type") ?? "");
}

async function uploadBody(c: Context<HttpEnv>, deps: UploadRoutesDeps): Promise<Response> {
  const request = readUploadRequest(c, deps);
  return await receive(c, deps, request);
}

/**
 * A hash that this tenant has uploaded is answered at once. Any other is answered by the bytes
 * alone, whether or not somebody else has uploaded them: a hash neither fetches nor probes.
 */
async function uploadDeclared(c: Context<HttpEnv>, deps: UploadRoutesDeps): Promise<Response> {
  const hash = parseContentHash(c.req.param("hash") ?? "");
  const request = readUploadRequest(c, deps);
  assertDigestsAgree(hash, request.expectedSha256Digests ?? []);
  const known = await deps.ingest.knownToTenant(request.tenant, hash);
  if (known) return buildUploadAnswer({ created: false, asset: known });
  return await receive(c, deps, { ...request, expectedHash: hash });
}

async function receive(
  c: Context<HttpEnv>,
  deps: UploadRoutesDeps,
  request: UploadRequest,
): Promise<Response> {
  await using admitted = await deps.admission.admit(c.get("principal"), request.contentLength);
  const body = admitted.meter(takeRequestBody(c.req.raw));
  try {
    return buildUploadAnswer(await deps.ingest.ingest(body, request));
  } catch (error) {
    throw admitted.failure ?? error;
  }
}

function readUploadRequest(c: Context<HttpEnv>, deps: UploadRoutesDeps): UploadRequest {
  const headers = readUploadHeaders(c.req.raw.headers, new URL(c.req.url).searchParams);
  assertDeclaredSize(headers.contentLength, deps.maxBytes);
  const { tenant, keyId } = c.get("principal");
  // A connection that breaks fails the reading of the body; after the last byte the upload is
  // finished whether or not the client still listens.
  return { ...headers, tenant, keyId, signal: new AbortController().signal };
}

function assertDigestsAgree(hash: ContentHash, digests: readonly Uint8Array[]): void {
  const bytes = Uint8Array.from(hash.match(/../g) ?? [], (digits) => parseInt(digits, 16));
  if (digests.every((digest) => timingSafeEqual(digest, bytes))) return;
  throw new AppError("digest_mismatch", "The digest field and the hash in the path differ");
}
