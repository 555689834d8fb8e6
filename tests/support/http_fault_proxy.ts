/**
 * An HTTP proxy that fails on purpose, to stand between the service and an object store. It passes
 * on requests byte for byte but for `Connection: close`, so that signed ones stay valid, and serves
 * one request per connection. Request bodies need a `Content-Length`.
 *
 *     const proxy = startHttpFaultProxy("http://127.0.0.1:7480");
 *     proxy.inject({ kind: "answer", status: 503 }, { method: "PUT", onCall: 2 });
 *     … use proxy.url …
 *     await proxy.close();
 *
 * @module
 */

/** What goes wrong. */
export type Fault =
  /** Answers by itself; the server never sees the request. */
  | {
    readonly kind: "answer";
    readonly status: number;
    readonly body?: string;
    readonly headers?: Record<string, string>;
  }
  /** Takes the request and never answers. */
  | { readonly kind: "hang" }
  /** Breaks the connection; the server never sees the request. */
  | { readonly kind: "reset" }
  /** The server does its work, and the answer is lost. */
  | { readonly kind: "loseAnswer" }
  /** Breaks the connection after so many bytes of the answer's body. */
  | { readonly kind: "cutBody"; readonly afterBytes: number }
  /** Sends so many bytes of the answer's body, then nothing more. */
  | { readonly kind: "stallBody"; readonly afterBytes: number }
  /** Waits before passing the request on. */
  | { readonly kind: "delay"; readonly delayMs: number };

/** Which calls a fault is for. */
export interface FaultTarget {
  readonly method?: string;
  /** Tested against path and query, as `/bucket/key?uploadId=…`. */
  readonly path?: RegExp;
  /** The first matching call to fail, from 1. @default {1} */
  readonly onCall?: number;
  /** How many matching calls fail from there on. @default {1} */
  readonly times?: number;
}

/** A call that came by. */
export interface ProxiedCall {
  readonly method: string;
  readonly path: string;
}

/** A running proxy. */
export interface HttpFaultProxy {
  /** Its origin, without a slash at the end. */
  readonly url: string;
  /** Every call so far, in order. */
  readonly calls: readonly ProxiedCall[];
  /** Adds a fault; the first one that fits a call is used. */
  inject(fault: Fault, target?: FaultTarget): void;
  /** Lets everything through again. */
  heal(): void;
  close(): Promise<void>;
}

interface ArmedFault {
  readonly fault: Fault;
  readonly target: FaultTarget;
  seen: number;
}

/** Starts a proxy to `targetUrl` (plain HTTP) on a free port of the loopback. */
export function startHttpFaultProxy(targetUrl: string): HttpFaultProxy {
  const { hostname, port } = new URL(targetUrl);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const calls: ProxiedCall[] = [];
  const closing = new AbortController();
  const exchanges = new Set<Promise<void>>();
  let armed: ArmedFault[] = [];

  async function serve(client: Deno.TcpConn): Promise<void> {
    const closers: (() => void)[] = [() => client.close()];
    const closeAll = (): void => closers.splice(0).forEach((close) => close());
    closing.signal.addEventListener("abort", closeAll, { once: true });
    try {
      const request = await readRequest(client);
      if (request === null) return;
      calls.push({ method: request.method, path: request.path });
      const fault = pickFault(armed, request);
      const connect = async (): Promise<Deno.TcpConn> => {
        const server = await Deno.connect({ hostname, port: Number(port) });
        closers.push(() => server.close());
        return server;
      };
      await act({ client, request, fault, connect, signal: closing.signal });
    } catch {
      // One side broke the connection: the other one is told below in the same way.
    } finally {
      closing.signal.removeEventListener("abort", closeAll);
      closeAll();
    }
  }

  const accepting = (async () => {
    for await (const client of listener) {
      const exchange = serve(client).finally(() => exchanges.delete(exchange));
      exchanges.add(exchange);
    }
  })();

  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    calls,
    inject(fault, target = {}) {
      armed.push({ fault, target, seen: 0 });
    },
    heal() {
      armed = [];
    },
    async close() {
      listener.close();
      closing.abort();
      await accepting;
      await Promise.all(exchanges);
    },
  };
}

/** The fault for this call, if it is one's turn. */
function pickFault(armed: ArmedFault[], { method, path }: ProxiedCall): Fault | null {
  for (const candidate of armed) {
    const { onCall = 1, times = 1 } = candidate.target;
    if (candidate.target.method !== undefined && candidate.target.method !== method) continue;
    if (candidate.target.path !== undefined && !candidate.target.path.test(path)) continue;
    candidate.seen++;
    if (candidate.seen >= onCall && candidate.seen < onCall + times) return candidate.fault;
  }
  return null;
}

interface ProxiedRequest extends ProxiedCall {
  /** Request line and headers, with the empty line. */
  readonly head: string;
  /** What came with the head already. */
  readonly body: Uint8Array;
  readonly bodyBytes: number;
}

interface Exchange {
  readonly client: Deno.TcpConn;
  readonly request: ProxiedRequest;
  readonly fault: Fault | null;
  readonly connect: () => Promise<Deno.TcpConn>;
  readonly signal: AbortSignal;
}

async function act(exchange: Exchange): Promise<void> {
  const { client, request, fault, signal } = exchange;
  switch (fault?.kind) {
    case "reset":
      return;
    case "hang":
      await readBody(exchange, () => Promise.resolve());
      return await wait(signal);
    case "answer": {
      // Reads the body to its end first: an early answer would look like a broken connection.
      await readBody(exchange, () => Promise.resolve());
      return await writeAll(client, toAnswer(request.method, fault));
    }
    case "delay":
      await wait(signal, fault.delayMs);
      return await forward(exchange);
    default:
      return await forward(exchange);
  }
}

async function forward(exchange: Exchange): Promise<void> {
  const { client, request, fault, connect, signal } = exchange;
  const server = await connect();
  await writeAll(server, latin1(request.head.replace("\r\n", "\r\nConnection: close\r\n")));
  await readBody(exchange, (bytes) => writeAll(server, bytes));
  const limit = fault !== null && "afterBytes" in fault ? fault.afterBytes : Infinity;
  let head = "";
  let sentBytes = 0;
  for await (const bytes of readChunks(server)) {
    if (fault?.kind === "loseAnswer") continue;
    let body = bytes;
    if (!head.includes("\r\n\r\n")) {
      const before = head.length;
      head += fromLatin1(bytes);
      const end = head.indexOf("\r\n\r\n");
      const headBytes = end < 0 ? bytes.byteLength : end + 4 - before;
      await writeAll(client, bytes.subarray(0, headBytes));
      body = bytes.subarray(headBytes);
    }
    await writeAll(client, body.subarray(0, Math.max(0, limit - sentBytes)));
    sentBytes += body.byteLength;
    if (sentBytes < limit) continue;
    return fault?.kind === "stallBody" ? await wait(signal) : undefined;
  }
}

/** Reads a request's head, or null when the client closes without sending one. */
async function readRequest(client: Deno.TcpConn): Promise<ProxiedRequest | null> {
  let text = "";
  for await (const bytes of readChunks(client)) {
    text += fromLatin1(bytes);
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) continue;
    const head = text.slice(0, end + 4).replace(/\r\nconnection:[^\r]*/i, "");
    const [method, path] = head.split(" ", 2);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    const body = latin1(text.slice(end + 4));
    return { head, method: method!, path: path!, body, bodyBytes: Number(length ?? 0) };
  }
  return null;
}

/** Passes the request's body to `write`, to its end. */
async function readBody(
  { client, request }: Exchange,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  let left = request.bodyBytes - request.body.byteLength;
  await write(request.body);
  if (left <= 0) return;
  for await (const bytes of readChunks(client)) {
    await write(bytes);
    left -= bytes.byteLength;
    if (left <= 0) return;
  }
  throw new Error("The client went away");
}

async function* readChunks(connection: Deno.TcpConn): AsyncGenerator<Uint8Array> {
  for (;;) {
    const buffer = new Uint8Array(64 * 1024);
    const count = await connection.read(buffer);
    if (count === null) return;
    yield buffer.subarray(0, count);
  }
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength;) at += await connection.write(bytes.subarray(at));
}

function toAnswer(method: string, fault: Extract<Fault, { readonly kind: "answer" }>): Uint8Array {
  const body = method === "HEAD" ? "" : fault.body ?? "";
  const headers = {
    "content-type": "application/xml",
    "content-length": String(new TextEncoder().encode(body).byteLength),
    connection: "close",
    ...fault.headers,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return new TextEncoder().encode(`HTTP/1.1 ${fault.status} Fault\r\n${lines.join("")}\r\n${body}`);
}

/** Waits until the proxy closes, or for so long. */
function wait(signal: AbortSignal, delayMs?: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = delayMs === undefined ? undefined : setTimeout(done, delayMs);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** One character per byte, so that positions in the text are positions in the bytes. */
function fromLatin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
