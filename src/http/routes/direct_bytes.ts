/**
 * `PUT /v1/uploads/direct/bytes`: accepts the bytes of direct uploads where the object store has no
 * server of its own. The signature in the URL is the permission; no API key is needed.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import type { Budget } from "../../core/budget.ts";
import type { MultipartStore, ObjectWriter } from "../../core/object_store.ts";
import { writeMultipart } from "../../core/multipart_writer.ts";
import { AppError } from "../../errors.ts";
import { BodyReader } from "../../uploads/body_reader.ts";
import type { HttpEnv } from "../http_env.ts";
import { takeRequestBody } from "../middleware/request_body.ts";
import { parseContentLength } from "../upload_headers.ts";

/** What a signed URL allows. */
export interface DirectGrant {
  readonly key: string;
  readonly sizeBytes: number;
  readonly part: {
    readonly uploadId: string;
    readonly partNumber: number;
    readonly partSizeBytes: number;
  } | null;
}

/** What the route needs. Durations in milliseconds. */
export interface DirectBytesDeps {
  /** Reads the grant out of the URL. Throws `unauthorized` when it is not valid. */
  readonly verify: (url: URL) => DirectGrant;
  readonly objects: ObjectWriter & MultipartStore;
  /** Bounds the parts that are held in memory. */
  readonly budget: Budget;
  readonly idleTimeoutMs: number;
  readonly minWindowBytes: number;
}

const PATH = "/v1/uploads/direct/bytes";

/** The route. */
export function directBytesRoutes(deps: DirectBytesDeps): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  routes.put(PATH, (c) => receive(c, deps));
  return routes;
}

async function receive(c: Context<HttpEnv>, deps: DirectBytesDeps): Promise<Response> {
  const { key, sizeBytes, part } = deps.verify(new URL(c.req.url));
  const contentLength = parseContentLength(c.req.header("content-length") ?? null);
  if (contentLength !== undefined && contentLength !== sizeBytes) {
    throw new AppError("invalid_request", `The URL is signed for a body of ${sizeBytes} bytes`);
  }
  const signal = new AbortController().signal;
  using _room = await deps.budget.reserve(part ? sizeBytes : 0, signal);
  using reader = new BodyReader(takeRequestBody(c.req.raw), {
    ...deps,
    maxBytes: sizeBytes,
    contentLength: sizeBytes,
    signal,
  });
  const etag = part
    ? await putPart(deps, reader, { key, sizeBytes, ...part })
    : await putWhole(deps, reader, { key, sizeBytes });
  return new Response(null, { status: 200, headers: { etag, "cache-control": "no-store" } });
}

async function putWhole(
  deps: DirectBytesDeps,
  reader: BodyReader,
  { key, sizeBytes }: { readonly key: string; readonly sizeBytes: number },
): Promise<string> {
  await writeMultipart(deps.objects, key, { maxBytes: sizeBytes, chunks: chunksOf(reader) });
  return '"stored"';
}

async function putPart(
  deps: DirectBytesDeps,
  reader: BodyReader,
  target: { readonly key: string; readonly sizeBytes: number } & NonNullable<DirectGrant["part"]>,
): Promise<string> {
  const { key, uploadId, partSizeBytes, partNumber } = target;
  const bytes = new Uint8Array(target.sizeBytes);
  let length = 0;
  for await (const chunk of chunksOf(reader)) {
    bytes.set(chunk, length);
    length += chunk.byteLength;
  }
  const stored = await deps.objects.uploadPart({ key, uploadId, partSizeBytes }, {
    partNumber,
    bytes,
  });
  return `"${stored.etag.replaceAll('"', "")}"`;
}

async function* chunksOf(reader: BodyReader): AsyncGenerator<Uint8Array, void, void> {
  for (let chunk = await reader.read(); chunk !== null; chunk = await reader.read()) yield chunk;
}
