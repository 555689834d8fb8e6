import type { S3ClientConfig } from "@aws-sdk/client-s3";
import { createS3Uploader, type SdkResponse } from "./s3_upload_request.ts";

/** What the SDK hands to a request handler; the part of its type that is used here. */
interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly path: string;
  readonly query?: Record<string, string | string[] | null> | undefined;
  readonly headers: Record<string, string>;
  readonly body?: unknown;
}

/** A request handler of the SDK that can be closed. */
export interface S3HttpHandler {
  readonly requestHandler: NonNullable<S3ClientConfig["requestHandler"]>;
  close(): void;
}

/** Headers that `fetch` sets by itself, with the values that were signed. */
const FETCH_SETS = new Set(["host", "content-length"]);

/** Bodies from this size on go through the uploader. */
const UPLOADER_MIN_BYTES = 64 * 1024;

/**
 * The first Deno whose `node:http` is known to close the connection of a destroyed request. 2.5.0
 * leaves it to the server; there, `fetch` and its copies are the smaller evil.
 */
const UPLOADER_MIN_DENO = [2, 9] as const;

/**
 * Sends the SDK's requests with `fetch`, which gives bodies as web streams and closes its pool at
 * once; only large bodies on their way out take another way (see {@linkcode createS3Uploader}).
 */
export function createS3HttpHandler(): S3HttpHandler {
  const client = Deno.createHttpClient({ poolMaxIdlePerHost: 64, http2: false });
  const uploader = createS3Uploader();
  const mayUpload = isDenoAtLeast(UPLOADER_MIN_DENO, Deno.version.deno);

  async function handle(
    request: SdkRequest,
    options: { readonly abortSignal?: AbortSignal } = {},
  ): Promise<{ response: SdkResponse }> {
    const { method, body } = request;
    if (mayUpload && body instanceof Uint8Array && body.byteLength >= UPLOADER_MIN_BYTES) {
      const { headers } = request;
      const signal = options.abortSignal;
      return {
        response: await uploader.send(toUrl(request), { method, headers, body, signal }),
      };
    }
    const headers = new Headers({ "accept-encoding": "identity" });
    for (const [name, value] of Object.entries(request.headers)) {
      if (!FETCH_SETS.has(name.toLowerCase())) headers.set(name, value);
    }
    const response = await fetch(toUrl(request), {
      method,
      headers,
      body: toBody(body),
      redirect: "manual",
      signal: options.abortSignal ?? null,
      client,
    });
    return {
      response: {
        statusCode: response.status,
        reason: response.statusText,
        headers: Object.fromEntries(response.headers),
        body: response.body ?? undefined,
      },
    };
  }

  const requestHandler = {
    handle,
    destroy() {},
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  };
  return {
    requestHandler: requestHandler as unknown as S3HttpHandler["requestHandler"],
    close() {
      client.close();
      uploader.close();
    },
  };
}

function isDenoAtLeast([major, minor]: readonly [number, number], version: string): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split(".").map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

function toBody(body: unknown): BodyInit | null {
  if (body === undefined || body === null) return null;
  if (typeof body === "string" || body instanceof Uint8Array) return body as BodyInit;
  throw new TypeError("Cannot send this body: parts are bytes or text");
}

/** The URL as it was signed: the path is encoded already, the query is not. */
function toUrl({ protocol, hostname, port, path, query }: SdkRequest): string {
  const pairs = Object.entries(query ?? {}).flatMap(([name, value]) => {
    const values = Array.isArray(value) ? value : [value];
    return values.map((one) => one === null ? encode(name) : `${encode(name)}=${encode(one)}`);
  });
  const host = port === undefined ? hostname : `${hostname}:${port}`;
  return `${protocol}//${host}${path}${pairs.length > 0 ? `?${pairs.join("&")}` : ""}`;
}

/** RFC 3986 percent-encoding, as SigV4 asks for. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
