/**
 * What becomes of a request body that nobody reads to its end.
 *
 * `Deno.serve` offers no way to close a connection, and keeps receiving (and throwing away) the
 * rest of a body after the answer, for as long as the client cares to send. Only one order of
 * events makes it close: at least one read has begun before the answer goes out, and the body is
 * cancelled after the client had time to read the answer (a cancelled body cuts a client that is
 * still sending, which then may lose the answer). A client that is silent as well keeps its idle
 * socket until the limits of connections cut it; nothing else of the request remains.
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";
import type { HttpEnv } from "../http_env.ts";

/** How long a client may go on sending after the answer, so that it gets to read it. */
const LINGER_MS = 1_000;

const METHODS_WITH_BODY: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH", "DELETE"]);

/** A body that somebody began to read. */
interface OpenBody {
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  /** Whether its end, proper or not, was seen. */
  ended: boolean;
}

const openBodies = new WeakMap<Request, OpenBody>();

/**
 * The body of the request, empty when it has none. Cancelling the stream does not reach the
 * connection at once: {@linkcode lingeringClose} does that once the answer is out.
 */
export function takeRequestBody(request: Request): ReadableStream<Uint8Array> {
  const source = request.body;
  if (source === null) return new Blob().stream();
  const open: OpenBody = { reader: source.getReader(), ended: false };
  openBodies.set(request, open);
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await open.reader.read();
        if (!done) return controller.enqueue(value);
        open.ended = true;
        controller.close();
      } catch (error) {
        open.ended = true;
        controller.error(error);
      }
    },
  }, { highWaterMark: 0 });
}

/** Middleware that closes the connection under a body that was not read to its end. */
export function lingeringClose(): MiddlewareHandler<HttpEnv> {
  return async function lingeringClose(c, next) {
    await next();
    if (!METHODS_WITH_BODY.has(c.req.method)) return;
    const overSocket = c.env?.remoteAddress !== undefined;
    if (overSocket && !mayHaveBody(c.req.raw.headers)) return;
    const open = openBodies.get(c.req.raw) ?? openUnreadBody(c.req.raw);
    if (open === null || open.ended) return;
    const cancel = () => void open.reader.cancel().catch(() => {});
    // Without a socket there is nobody to wait for.
    if (!overSocket) return cancel();
    Deno.unrefTimer(setTimeout(cancel, LINGER_MS));
  };
}

/**
 * RFC 9112 section 6.3: a request with neither Content-Length nor Transfer-Encoding has no body, but
 * the runtime makes a stream for it all the same.
 */
function mayHaveBody(headers: Headers): boolean {
  const length = headers.get("content-length");
  return length === null ? headers.has("transfer-encoding") : length !== "0";
}

function openUnreadBody(request: Request): OpenBody | null {
  // A handler that read the body by other means read all of it.
  if (request.bodyUsed || request.body === null) return null;
  const open: OpenBody = { reader: request.body.getReader(), ended: false };
  open.reader.read().then(({ done }) => open.ended ||= done, () => open.ended = true);
  return open;
}
