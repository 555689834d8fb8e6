/**
 * An HTTP server that knows its connections, so that no client holds one for ever: not by sending
 * no header or never ending one, not by staying silent between requests, and not by never reading
 * an answer.
 *
 * `Deno.serve` has no such limits (denoland/deno 3515). It serves each connection with a function
 * that can also be called from here, connection by connection, and costs requests nothing; but that
 * function is not documented. So it is looked for, and where it is absent or looks different the
 * caller serves as usual.
 *
 * @module
 */

import type { ConnectionLimits } from "../connection_config.ts";
import type { ClientConnection } from "../http/http_env.ts";
import { aborted } from "./aborted.ts";

/** What {@linkcode serveGuarded} serves on. */
export interface GuardedServerOptions {
  readonly limits: ConnectionLimits;
  /** Cuts everything that is still open. */
  readonly signal: AbortSignal;
}

/** Answers a request that came over `connection`. */
export type ConnectionHandler = (
  request: Request,
  info: Deno.ServeHandlerInfo,
  connection: ClientConnection,
) => Response | Promise<Response>;

/** A running server, as far as it is like `Deno.HttpServer`. */
export type GuardedServer = Pick<Deno.HttpServer, "finished" | "shutdown">;

/** What the runtime wants of a signal; a plain callback can fail without ending the process. */
interface CutSignal {
  addEventListener(type: string, cut: () => void): void;
}

/** Serves HTTP on one connection. */
export type ServeConnection = (
  connection: Deno.Conn,
  signal: CutSignal,
  handler: (request: Request, info: Deno.ServeHandlerInfo) => Response | Promise<Response>,
  onError: (error: unknown) => Response,
  onListen: () => void,
) => GuardedServer;

/** Time between looks at the connections. Milliseconds. */
const SWEEP_MS = 1_000;
/** Pause after a failed accept: file descriptors may have run out. Milliseconds. */
const ACCEPT_RETRY_MS = 100;

/** The runtime's function that serves one connection; null where there is none of that form. */
export function findServeConnection(): ServeConnection | null {
  const internal: unknown = Reflect.get(Deno, "internal");
  const internals: unknown = typeof internal === "symbol" ? Reflect.get(Deno, internal) : undefined;
  if (typeof internals !== "object" || internals === null) return null;
  const found: unknown = Reflect.get(internals, "serveHttpOnConnection");
  return typeof found === "function" && found.length === 5 ? found as ServeConnection : null;
}

/** Serves every connection to `listener` until `shutdown` or the signal, within the limits. */
export function serveGuarded(
  listener: Deno.Listener,
  handler: ConnectionHandler,
  { serveConnection, limits, signal }: GuardedServerOptions & { serveConnection: ServeConnection },
): GuardedServer {
  const connections = new Set<Connection>();
  const clock = { nowMs: performance.now() };
  const ended = Promise.withResolvers<void>();
  let closing = false;

  const sweep = setInterval(() => {
    clock.nowMs = performance.now();
    for (const each of connections) if (each.isOverdue(limits)) each.cut();
  }, Math.min(SWEEP_MS, limits.headerTimeoutMs / 4, limits.idleTimeoutMs / 4));
  Deno.unrefTimer(sweep);

  function open(socket: Deno.Conn): void {
    const connection = new Connection(clock, connections);
    const server = serveConnection(
      socket,
      { addEventListener: (_type, cut) => connection.onCut = cut },
      (request, info) => connection.answer(handler, request, info),
      () => new Response("Internal Server Error", { status: 500 }),
      () => {},
    );
    connection.server = server;
    connections.add(connection);
    const forget = () => connections.delete(connection);
    server.finished.then(forget, forget);
  }

  async function accept(): Promise<void> {
    while (!closing) {
      try {
        const socket = await listener.accept();
        if (connections.size < limits.maxConnections || makeRoom(connections)) open(socket);
        else socket.close();
      } catch {
        if (!closing) await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      }
    }
  }

  accept();
  signal.addEventListener("abort", () => {
    for (const each of connections) each.cut();
  }, { once: true });
  return {
    finished: ended.promise,
    async shutdown() {
      closing = true;
      listener.close();
      clearInterval(sweep);
      await Promise.race([
        Promise.allSettled([...connections].map((each) => each.shutdown())),
        aborted(signal),
      ]);
      ended.resolve();
    },
  };
}

/** Cuts the connection that has waited longest for its client; false when all are busy. */
function makeRoom(connections: Iterable<Connection>): boolean {
  let longest: Connection | undefined;
  for (const each of connections) {
    if (each.active > 0) continue;
    if (longest === undefined || each.sinceMs < longest.sinceMs) longest = each;
  }
  longest?.cut();
  return longest !== undefined;
}

class Connection implements ClientConnection {
  /** Requests and bodies under way. */
  active = 0;
  /** Whether a request has come over it. */
  hasAsked = false;
  /** Since when it waits for its client; as exact as the sweep. */
  sinceMs: number;
  server: GuardedServer | undefined;
  onCut: (() => void) | undefined;
  readonly #clock: { readonly nowMs: number };
  readonly #all: Set<Connection>;

  constructor(clock: { readonly nowMs: number }, all: Set<Connection>) {
    this.sinceMs = performance.now();
    this.#clock = clock;
    this.#all = all;
  }

  hold(): void {
    this.hasAsked = true;
    this.active++;
  }

  release(): void {
    this.active--;
    this.sinceMs = this.#clock.nowMs;
  }

  answer(
    handler: ConnectionHandler,
    request: Request,
    info: Deno.ServeHandlerInfo,
  ): Response | Promise<Response> {
    this.hold();
    try {
      const answer = handler(request, info, this);
      if (answer instanceof Promise) {
        const release = () => this.release();
        answer.then(release, release);
      } else {
        this.release();
      }
      return answer;
    } catch (error) {
      this.release();
      throw error;
    }
  }

  isOverdue({ headerTimeoutMs, idleTimeoutMs }: ConnectionLimits): boolean {
    if (this.active > 0) return false;
    const waitedMs = this.#clock.nowMs - this.sinceMs;
    return waitedMs > (this.hasAsked ? idleTimeoutMs : headerTimeoutMs);
  }

  cut(): void {
    this.#all.delete(this);
    try {
      this.onCut?.();
    } catch { /* it has ended by itself at this moment */ }
  }

  /** Lets requests under way end; a client that has not asked yet will not be heard any more. */
  async shutdown(): Promise<void> {
    if (this.hasAsked) await this.server?.shutdown();
    else this.cut();
  }
}
