/**
 * Serves an application over HTTP until a signal asks it to stop.
 *
 * @module
 */
import { StartError } from "./start_error.ts";

/** What is served. */
export interface Service {
  /** Answers one request. `remoteAddress` is the peer's IP address. */
  fetch(request: Request, peer: { readonly remoteAddress: string }): Response | Promise<Response>;
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
  /** Called when the socket listens. */
  readonly onListen: (address: { hostname: string; port: number }) => void;
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

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function listen(
  service: Pick<Service, "fetch">,
  options: ServeOptions,
  signal: AbortSignal,
): Deno.HttpServer {
  try {
    return Deno.serve({
      port: options.port,
      hostname: options.hostname,
      signal,
      onListen: options.onListen,
    }, (request, info) => service.fetch(request, new Peer(info)));
  } catch (error) {
    throw toStartError(error, options);
  }
}

/** Who asks. Looked up when it is asked for: that is dear, and most replies do not depend on it. */
class Peer {
  readonly #info: Deno.ServeHandlerInfo;

  constructor(info: Deno.ServeHandlerInfo) {
    this.#info = info;
  }

  get remoteAddress(): string {
    const { remoteAddr } = this.#info;
    return remoteAddr.transport === "tcp" ? remoteAddr.hostname : "";
  }
}

function toStartError(error: unknown, { port }: Pick<ServeOptions, "port">): unknown {
  if (error instanceof Deno.errors.AddrInUse) {
    return new StartError(`Port ${port} is in use; set PORT to another one`);
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new StartError(`Port ${port} may not be used by this user; set PORT to another one`);
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return new StartError("The address in FACET_HOST does not belong to this machine");
  }
  return error;
}

async function withTimeout(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, timeoutMs));
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
