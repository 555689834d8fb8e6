import type { Hono } from "hono";
import type { HttpEnv } from "../../src/http/http_env.ts";

/** An application on a socket. */
export interface LocalServer extends AsyncDisposable {
  readonly port: number;
  /** How many requests are being handled, also those whose client is gone. */
  readonly handling: number;
}

/** How long requests may take to end when the server is disposed. Milliseconds. */
const SHUTDOWN_MS = 1_500;

/** Serves an application on a free port, as `app/serve.ts` does. */
export function serveLocally(app: Hono<HttpEnv>): LocalServer {
  const stop = new AbortController();
  let handling = 0;
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", signal: stop.signal, onListen: () => {} },
    async (request, info) => {
      handling++;
      try {
        return await app.fetch(request, { remoteAddress: info.remoteAddr.hostname });
      } finally {
        handling--;
      }
    },
  );
  return {
    port: server.addr.port,
    get handling() {
      return handling;
    },
    async [Symbol.asyncDispose]() {
      const timer = setTimeout(() => stop.abort(), SHUTDOWN_MS);
      await server.shutdown();
      clearTimeout(timer);
      await server.finished;
    },
  };
}
