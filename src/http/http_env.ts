import type { Hono } from "hono";
import type { Principal } from "../core/principal.ts";

/** What a reply that takes long tells the connection that it goes out on. */
export interface ClientConnection {
  /** Nothing counts as idle until {@linkcode release}. */
  hold(): void;
  release(): void;
  /** Closes it, whatever is under way. */
  cut(): void;
}

/** What middleware leaves on the Hono context for handlers. */
export interface HttpEnv {
  Variables: {
    /** Unique per request; echoed as `X-Request-Id` and in problem documents. */
    requestId: string;
    /** The authenticated caller; set by `requireScope`. */
    principal: Principal;
    /** Extra members for the access log line of this request; low-cardinality, no secrets. */
    logFields: Record<string, string | number | boolean>;
  };
  Bindings: {
    /** The peer address as seen by `Deno.serve`, when served over a socket. */
    remoteAddress?: string;
    /** The connection, where it can be told what is going on. */
    connection?: ClientConnection | undefined;
  };
}

/** A group of routes, to be mounted by `createHttpApp`. */
export type HttpRoutes = Hono<HttpEnv>;
