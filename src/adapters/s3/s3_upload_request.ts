import * as http from "node:http";
import * as https from "node:https";

/** Most bytes of an answer to an upload: a few headers, or an error of one line. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** A response in the form that the SDK reads. */
export interface SdkResponse {
  readonly statusCode: number;
  readonly reason: string;
  readonly headers: Record<string, string>;
  readonly body?: ReadableStream<Uint8Array> | Uint8Array | undefined;
}

/** Sends bodies of many bytes over connections of its own. */
export interface S3Uploader {
  send(
    url: string,
    request: {
      readonly method: string;
      readonly headers: Record<string, string>;
      readonly body: Uint8Array;
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<SdkResponse>;
  close(): void;
}

/**
 * Creates an uploader on `node:http`, which sends a part from the buffer that it is in. `fetch` would
 * copy it first: with two parts of 8 MiB under way, memory grows by about 120 MiB against 10 MiB.
 */
export function createS3Uploader(): S3Uploader {
  const agents = {
    "http:": new http.Agent({ keepAlive: true }),
    "https:": new https.Agent({ keepAlive: true }),
  };
  return {
    send(url, { method, headers, body, signal }) {
      const isSecure = url.startsWith("https:");
      return new Promise((resolve, reject) => {
        // The SDK and the retries know a TypeError as "no answer", as from fetch.
        const fail = (cause: unknown): void => {
          signal?.removeEventListener("abort", onAbort);
          reject(signal?.aborted ? signal.reason : new TypeError("No answer", { cause }));
        };
        const request = (isSecure ? https : http).request(url, {
          method,
          headers,
          agent: isSecure ? agents["https:"] : agents["http:"],
        });
        const onAbort = (): void => {
          request.destroy();
          fail(signal?.reason);
        };
        request.on("error", fail);
        request.on("response", (response: http.IncomingMessage) => {
          readAnswer(response).then((answer) => {
            signal?.removeEventListener("abort", onAbort);
            // A refusal may come before the body is sent: the rest must not follow it.
            if (!request.writableFinished) request.destroy();
            resolve(answer);
          }, fail);
        });
        if (signal?.aborted) return onAbort();
        signal?.addEventListener("abort", onAbort, { once: true });
        request.end(body);
      });
    },
    close() {
      agents["http:"].destroy();
      agents["https:"].destroy();
    },
  };
}

async function readAnswer(response: http.IncomingMessage): Promise<SdkResponse> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response) {
    chunks.push(chunk);
    sizeBytes += chunk.byteLength;
    if (sizeBytes > MAX_ANSWER_BYTES) throw new Error("The answer is too long");
  }
  const body = new Uint8Array(sizeBytes);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.byteLength;
  }
  const headers = Object.entries(response.headers).map((
    [name, value],
  ) => [name, Array.isArray(value) ? value.join(", ") : value ?? ""]);
  return {
    statusCode: response.statusCode ?? 0,
    reason: response.statusMessage ?? "",
    headers: Object.fromEntries(headers),
    body,
  };
}
