import assert from "node:assert/strict";
import {
  type ConnectionHandler,
  findServeConnection,
  serveGuarded,
} from "../../../src/app/guarded_server.ts";
import type { ConnectionLimits } from "../../../src/connection_config.ts";

const HOUR_MS = 3_600_000;
/** No limits that a test would reach; each test shortens those that are its subject. */
const LIMITS = { headerTimeoutMs: HOUR_MS, idleTimeoutMs: HOUR_MS, maxConnections: 100 };
const GET = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
/** Far more than the buffers of two sockets hold. Bytes. */
const LARGE_BYTES = 32 * 2 ** 20;

interface Client {
  send(text: string): Promise<void>;
  /** Reads until `pattern` has come. */
  read(pattern: RegExp): Promise<string>;
  /** Reads to the end, however it comes; resolves to the bytes that came. */
  end(): Promise<number>;
  /** Sends `text` again and again until the connection is cut. */
  dribble(text: string): Promise<void>;
}

/** Serves with `limits` while `work` runs. */
async function withServer(
  handler: ConnectionHandler,
  work: (connect: () => Promise<Client>, shutdown: () => Promise<void>) => Promise<void>,
  limits: Partial<ConnectionLimits> = {},
): Promise<void> {
  const serveConnection = findServeConnection();
  assert.ok(serveConnection, "this runtime has no function that serves one connection");
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  const stop = new AbortController();
  const server = serveGuarded(listener, handler, {
    serveConnection,
    limits: { ...LIMITS, ...limits },
    signal: stop.signal,
  });
  const clients: Deno.TcpConn[] = [];
  let stopped: Promise<void> | undefined;
  const shutdown = () => stopped ??= server.shutdown();
  try {
    await work(async () => {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      clients.push(connection);
      return toClient(connection);
    }, shutdown);
  } finally {
    stop.abort();
    await shutdown();
    await server.finished;
    for (const each of clients) each.close();
  }
}

function toClient(connection: Deno.TcpConn): Client {
  const buffer = new Uint8Array(256 * 1024);
  const send = async (text: string) => {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
  };
  return {
    send,
    async read(pattern) {
      for (let text = "";;) {
        if (pattern.test(text)) return text;
        const count = await connection.read(buffer);
        assert.ok(count !== null, `the connection ended after: ${text}`);
        text += new TextDecoder().decode(buffer.subarray(0, count));
      }
    },
    async end() {
      let bytes = 0;
      try {
        for (let n; (n = await connection.read(buffer)) !== null;) bytes += n;
      } catch { /* reset */ }
      return bytes;
    },
    async dribble(text) {
      try {
        for (;;) {
          await send(text);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      } catch { /* cut */ }
    },
  };
}

Deno.test("serveGuarded() cuts clients that send no header, or never end one", async () => {
  await withServer(() => new Response("here"), async (connect) => {
    const [silent, dribbling] = [await connect(), await connect()];
    await Promise.all([silent.end(), dribbling.dribble("GET / HTTP/1.1\r\nx-slow: ")]);
  }, { headerTimeoutMs: 200 });
});

Deno.test("serveGuarded() cuts clients that are idle after an answer, or never end a second header", async () => {
  await withServer(() => new Response("here"), async (connect) => {
    const [idle, dribbling] = [await connect(), await connect()];
    for (const each of [idle, dribbling]) {
      await each.send(GET);
      await each.read(/here/);
    }
    await Promise.all([idle.end(), dribbling.dribble("G")]);
  }, { idleTimeoutMs: 400 });
});

Deno.test("serveGuarded() cuts a client that does not read a buffered answer", async () => {
  const large = new Uint8Array(LARGE_BYTES);
  const answer = ({ method }: Request) => new Response(method === "GET" ? large : "small");
  await withServer(answer, async (connect) => {
    const [stuck, idle] = [await connect(), await connect()];
    await stuck.send(GET);
    await stuck.read(/200 OK/);
    await idle.send(POST);
    await idle.end();
    assert.ok(await stuck.end() < LARGE_BYTES / 2);
  }, { idleTimeoutMs: 400 });
});

Deno.test("serveGuarded() lets requests, bodies and held answers take longer than a client may be idle", async () => {
  const over = Promise.withResolvers<void>();
  await withServer((request, _info, connection) => {
    if (request.method === "POST") return request.text().then((text) => new Response(text));
    if (new URL(request.url).pathname === "/late") {
      return over.promise.then(() => new Response("late"));
    }
    return new Response(
      new ReadableStream({
        async start(controller) {
          connection.hold();
          controller.enqueue(new TextEncoder().encode("begun "));
          await over.promise;
          controller.enqueue(new TextEncoder().encode("done"));
          controller.close();
          connection.release();
        },
      }),
    );
  }, async (connect) => {
    const [late, held, upload] = [await connect(), await connect(), await connect()];
    await late.send("GET /late HTTP/1.1\r\nhost: x\r\n\r\n");
    await held.send(GET);
    await upload.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\nabc");
    await held.read(/begun/);
    // That an idle connection is cut tells that the time is over.
    const idle = await connect();
    await idle.send(POST);
    await idle.end();
    over.resolve();
    await upload.send("def");
    await Promise.all([late.read(/late/), held.read(/done/), upload.read(/abcdef/)]);
  }, { idleTimeoutMs: 400 });
});

Deno.test("serveGuarded() makes room by cutting who waits longest, and refuses when all are busy", async () => {
  const [full, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let asked = 0;
  await withServer(async () => {
    if (++asked === 2) full.resolve();
    await over.promise;
    return new Response("served");
  }, async (connect) => {
    const silent = await connect();
    const busy = [await connect(), await connect()];
    for (const each of busy) await each.send(GET);
    await Promise.all([silent.end(), full.promise]);
    const refused = await connect();
    assert.equal(await refused.end(), 0);
    over.resolve();
    for (const each of busy) await each.read(/served/);
  }, { maxConnections: 2 });
});

Deno.test("serveGuarded() ends requests under way before it has shut down, and idle connections at once", async () => {
  const begun = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  await withServer(async (request) => {
    if (new URL(request.url).pathname === "/") return new Response("here");
    begun.resolve();
    await over.promise;
    return new Response("last");
  }, async (connect, shutdown) => {
    const [silent, idle, busy] = [await connect(), await connect(), await connect()];
    await idle.send(GET);
    await idle.read(/here/);
    await busy.send("GET /late HTTP/1.1\r\nhost: x\r\n\r\n");
    await begun.promise;
    const stopped = shutdown();
    await Promise.all([silent.end(), idle.end()]);
    over.resolve();
    await busy.read(/last/);
    await stopped;
  });
});
