/**
 * An HTTP proxy that fails on purpose, to stand between the service and an object store (or any
 * other HTTP server). It keeps the `Host` header as sent, so that signed requests stay valid.
 *
 *     const proxy = await startFaultProxy("http://127.0.0.1:7480");
 *     proxy.inject({ kind: "answer", status: 503 }, { method: "PUT", onCall: 2 });
 *     … use proxy.url …
 *     await proxy.close();
 *
 * @module
 */

import * as http from "node:http";
import type { AddressInfo, Socket } from "node:net";

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
export interface FaultProxy {
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
export async function startFaultProxy(targetUrl: string): Promise<FaultProxy> {
  const target = new URL(targetUrl);
  const calls: ProxiedCall[] = [];
  const sockets = new Set<Socket>();
  const timers = new Set<ReturnType<typeof setTimeout>>();
  let armed: ArmedFault[] = [];

  const server = http.createServer((request, response) => {
    const call = { method: request.method ?? "GET", path: request.url ?? "/" };
    calls.push(call);
    const fault = pickFault(armed, call);
    request.on("error", () => {});
    response.on("error", () => {});
    if (fault?.kind !== "delay") return handle(target, { request, response, fault });
    const timer = setTimeout(() => {
      timers.delete(timer);
      handle(target, { request, response, fault: null });
    }, fault.delayMs);
    timers.add(timer);
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    inject(fault, faultTarget = {}) {
      armed.push({ fault, target: faultTarget, seen: 0 });
    },
    heal() {
      armed = [];
    },
    async close() {
      timers.forEach(clearTimeout);
      sockets.forEach((socket) => socket.destroy());
      await new Promise<void>((resolve) => server.close(() => resolve()));
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

interface Exchange {
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
  readonly fault: Fault | null;
}

function handle(target: URL, exchange: Exchange): void {
  const { request, response, fault } = exchange;
  switch (fault?.kind) {
    case "answer":
      // Reads the body to its end first: an early answer would look like a broken connection.
      request.resume();
      request.on("end", () => {
        response.writeHead(fault.status, { "content-type": "application/xml", ...fault.headers });
        response.end(request.method === "HEAD" ? undefined : fault.body ?? "");
      });
      return;
    case "hang":
      request.resume();
      return;
    case "reset":
      request.socket.destroy();
      return;
    default:
      forward(target, exchange);
  }
}

function forward(target: URL, { request, response, fault }: Exchange): void {
  const upstream = http.request({
    hostname: target.hostname,
    port: target.port,
    method: request.method ?? "GET",
    path: request.url ?? "/",
    headers: request.headers,
    agent: false,
  }, (answer) => {
    answer.on("error", () => request.socket.destroy());
    if (fault?.kind === "loseAnswer") {
      answer.resume();
      answer.on("end", () => request.socket.destroy());
      return;
    }
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    if (fault?.kind === "cutBody" || fault?.kind === "stallBody") {
      sendSome(answer, { request, response, fault });
    } else {
      answer.pipe(response);
    }
  });
  upstream.on("error", () => request.socket.destroy());
  response.on("close", () => upstream.destroy());
  request.pipe(upstream);
}

/** Sends the first bytes of the answer's body, then breaks off or falls silent. */
function sendSome(
  answer: http.IncomingMessage,
  { request, response, fault }: Exchange & {
    readonly fault: Extract<Fault, { readonly afterBytes: number }>;
  },
): void {
  let left = fault.afterBytes;
  answer.on("data", (chunk: Uint8Array) => {
    if (left <= 0) return;
    const slice = chunk.subarray(0, left);
    left -= slice.byteLength;
    response.write(slice, () => {
      if (left <= 0 && fault.kind === "cutBody") request.socket.destroy();
    });
  });
}
