/**
 * Serves an application over HTTP until a signal asks it to stop.
 *
 * @module
 */
import type { ConnectionLimits } from "../connection_config.ts";
import type { ClientConnection } from "../http/http_env.ts";
import { aborted } from "./aborted.ts";
import { findServeConnection, type GuardedServer, serveGuarded } from "./guarded_server.ts";
import { StartError } from "./start_error.ts";

/** Who asks. */
export interface Peer {
  /** Its IP address. */
  readonly remoteAddress: string;
  /** Undefined where connections are not guarded. */
  readonly connection: ClientConnection | undefined;
}

/** What is served. */
export interface Service {
  /** Answers one request of a peer. */
  fetch(request: Request, peer: Peer): Response | Promise<Response>;
  /** Turns readiness off, so that load balancers look elsewhere while requests finish. */
  beginShutdown(): void;
  /** Frees everything the service holds. */
  close(): Promise<void>;
}

/** How to serve. */
export interface ServeOptions {
  /** 0 lets the system choose. */
  readonly port: number;
  readonly hostname: string;
  /** How long running requests may take to finish once a signal came. Milliseconds. */
  readonly shutdownGraceMs: number;
  /** What a connection may cost; null serves as Deno does, without limits. */
  readonly connections: ConnectionLimits | null;
  /** Called when the socket listens; `guarded` says whether connections have limits. */
  readonly onListen: (address: { hostname: string; port: number; guarded: boolean }) => void;
}

/** Freeing connections must not outlast this; Deno Deploy kills 5 s after SIGINT. Milliseconds. */
const CLOSE_TIMEOUT_MS = 700;

/** How the signals that end the service are named; Windows knows only the first. */
const STOP_SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM"];

/**
 * Serves until SIGINT or SIGTERM, then lets running requests finish within the grace time, closes
 * the service and returns. A second signal cuts the grace time short.
 *
 * @throws {StartError} When the port is in use or may not be used.
 */
export async function serve(service: Service, options: ServeOptions): Promise<void> {
  const abort = new AbortController();
  const stopped = Promise.withResolvers<void>();
  const underWay = new Set<Promise<unknown>>();
  const server = listen(trackRequests(service, underWay), options, abort.signal);
  let signals = 0;
  const onSignal = async () => {
    if (signals++ > 0) return abort.abort();
    service.beginShutdown();
    const grace = setTimeout(() => abort.abort(), options.shutdownGraceMs);
    // Deno 2.9 takes the bodies of running requests away as soon as it is told to shut down, so
    // those that had begun are awaited first; shutting down then waits for their answers.
    await Promise.race([Promise.allSettled(underWay), aborted(abort.signal)]);
    await server.shutdown();
    clearTimeout(grace);
    stopped.resolve();
  };
  for (const signal of STOP_SIGNALS) Deno.addSignalListener(signal, onSignal);
  await Promise.race([server.finished, stopped.promise]);
  await withTimeout(service.close(), CLOSE_TIMEOUT_MS);
  for (const signal of STOP_SIGNALS) Deno.removeSignalListener(signal, onSignal);
}

/**
 * Finds out early, before slower things start, that the port cannot be listened on.
 *
 * @throws {StartError} As {@linkcode serve}.
 */
export function checkPort(options: Pick<ServeOptions, "port" | "hostname">): void {
  try {
    Deno.listen({ port: options.port, hostname: options.hostname }).close();
  } catch (error) {
    throw toStartError(error, options);
  }
}

function trackRequests(
  service: Pick<Service, "fetch">,
  underWay: Set<Promise<unknown>>,
): Pick<Service, "fetch"> {
  return {
    fetch(request, peer) {
      const answer = service.fetch(request, peer);
      if (answer instanceof Promise) {
        const ended: Promise<unknown> = answer.then(
          () => underWay.delete(ended),
          () => underWay.delete(ended),
        );
        underWay.add(ended);
      }
      return answer;
    },
  };
}

function listen(
  service: Pick<Service, "fetch">,
  options: ServeOptions,
  signal: AbortSignal,
): GuardedServer {
  const { port, hostname } = options;
  const serveConnection = options.connections === null ? null : findServeConnection();
  try {
    if (options.connections === null || serveConnection === null) {
      return Deno.serve(
        {
          port,
          hostname,
          signal,
          onListen: ({ hostname, port }) => options.onListen({ hostname, port, guarded: false }),
        },
        (request, info) => service.fetch(request, new LazyPeer(info, undefined)),
      );
    }
    const listener = Deno.listen({ port, hostname });
    const server = serveGuarded(
      listener,
      (request, info, connection) => service.fetch(request, new LazyPeer(info, connection)),
      { serveConnection, limits: options.connections, signal },
    );
    options.onListen({ hostname, port: listener.addr.port, guarded: true });
    return server;
  } catch (error) {
    throw toStartError(error, options);
  }
}

/** The address is looked up when it is asked for: that is dear, and most replies do without. */
class LazyPeer implements Peer {
  readonly connection: ClientConnection | undefined;
  readonly #info: Deno.ServeHandlerInfo;

  constructor(info: Deno.ServeHandlerInfo, connection: ClientConnection | undefined) {
    this.#info = info;
    this.connection = connection;
  }

  get remoteAddress(): string {
    const { remoteAddr } = this.#info;
    return remoteAddr.transport === "tcp" ? remoteAddr.hostname : "";
  }
}

function toStartError(
  error: unknown,
  { port, hostname }: Pick<ServeOptions, "port" | "hostname">,
): unknown {
  if (error instanceof Deno.errors.AddrInUse) {
    return new StartError(`Port ${port} is in use; set PORT to another one`);
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new StartError(`Port ${port} may not be used by this user; set PORT to another one`);
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return new StartError("The address in FACET_HOST does not belong to this machine");
  }
  if (error instanceof Error) {
    return new StartError(`Cannot listen on ${hostname}:${port} (${error.message})`);
  }
  return error;
}

async function withTimeout(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, timeoutMs));
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
