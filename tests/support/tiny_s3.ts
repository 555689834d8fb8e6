/**
 * As much of an S3 gateway as a running service needs for small files, in memory: objects with
 * ETag, ranges, `If-None-Match: *` and the bucket's HEAD. It checks no signatures; how the adapter
 * speaks to a real gateway is the contract suite's matter.
 */
import { createHash } from "node:crypto";

/** A running server. */
export interface TinyS3 extends AsyncDisposable {
  readonly url: string;
  readonly bucket: string;
}

interface StoredObject {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly etag: string;
  readonly modifiedAt: Date;
}

const BUCKET = "facet";

/** Starts a server on a free port of the loopback. */
export function startTinyS3(): TinyS3 {
  const objects = new Map<string, StoredObject>();

  async function put(request: Request, key: string): Promise<Response> {
    const bytes = await request.bytes();
    if (request.headers.get("if-none-match") === "*" && objects.has(key)) {
      return refuse(412, "PreconditionFailed");
    }
    const declared = request.headers.get("x-amz-checksum-sha256");
    const sha256 = createHash("sha256").update(bytes).digest("base64");
    if (declared !== null && declared !== sha256) return refuse(400, "BadDigest");
    const etag = `"${createHash("md5").update(bytes).digest("hex")}"`;
    objects.set(key, { bytes, etag, modifiedAt: new Date() });
    return new Response(null, { headers: { etag } });
  }

  function read(request: Request, key: string): Response {
    const object = objects.get(key);
    if (!object) return request.method === "HEAD" ? refuse(404, "") : refuse(404, "NoSuchKey");
    const { bytes, etag, modifiedAt } = object;
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
    const from = range ? Number(range[1]) : 0;
    const to = range?.[2] ? Math.min(Number(range[2]), bytes.length - 1) : bytes.length - 1;
    const part = bytes.subarray(from, to + 1);
    return new Response(request.method === "HEAD" ? null : part, {
      status: range ? 206 : 200,
      headers: {
        etag,
        "last-modified": modifiedAt.toUTCString(),
        "content-length": String(part.length),
        ...(range ? { "content-range": `bytes ${from}-${to}/${bytes.length}` } : {}),
      },
    });
  }

  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const [, bucket, ...rest] = decodeURIComponent(new URL(request.url).pathname).split("/");
    const key = rest.join("/");
    if (bucket !== BUCKET) return refuse(404, "NoSuchBucket");
    if (key === "") return new Response(null);
    if (request.method === "PUT") return put(request, key);
    if (request.method === "DELETE") {
      objects.delete(key);
      return new Response(null, { status: 204 });
    }
    return read(request, key);
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    bucket: BUCKET,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function refuse(status: number, code: string): Response {
  const body = code === "" ? null : `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`;
  return new Response(body, { status, headers: { "content-type": "application/xml" } });
}
