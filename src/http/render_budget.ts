import type { Context } from "hono";
import { makeRoom } from "../core/make_room.ts";
import { AppError } from "../errors.ts";
import { clientAddress } from "./client_address.ts";
import type { HttpEnv } from "./http_env.ts";

/** Limits how many renders a client may cause. */
export interface RenderBudget {
  /**
   * Takes one render from the budget of a client.
   *
   * @param address The client's IP address.
   * @throws {AppError} `rate_limited`, with the seconds until there is budget again.
   */
  take(address: string): void;
}

/** What a render budget needs. */
export interface RenderBudgetOptions {
  /** Renders a client may cause per minute, all at once if it likes; Infinity = no limit. */
  readonly perMinute: number;
  /** Milliseconds from any fixed point. */
  readonly nowMs: () => number;
  /** Most clients remembered; the one that came first is forgotten. Default 10,000. */
  readonly maxClients?: number;
}

const MINUTE_MS = 60_000;

/**
 * Creates a render budget: a token bucket per client, an IPv6 network of 64 bits being one client,
 * since one customer has all of it.
 */
export function createRenderBudget(options: RenderBudgetOptions): RenderBudget {
  const { perMinute, nowMs, maxClients = 10_000 } = options;
  const clients = new Map<string, { readonly tokens: number; readonly atMs: number }>();

  return {
    take(address) {
      if (perMinute === Infinity) return;
      const client = toClient(address);
      const atMs = nowMs();
      const last = clients.get(client);
      const gained = last ? (atMs - last.atMs) * perMinute / MINUTE_MS : perMinute;
      const tokens = Math.min(perMinute, (last?.tokens ?? 0) + gained);
      if (tokens < 1) {
        throw new AppError("rate_limited", "Too many new variants were asked for", {
          retryAfterSeconds: Math.ceil((1 - tokens) * MINUTE_MS / perMinute / 1000),
        });
      }
      clients.delete(client);
      makeRoom(clients, maxClients);
      clients.set(client, { tokens: tokens - 1, atMs });
    },
  };
}

/** Creates the check of the variant routes: a render budget by the address of the client. */
export function createRenderAdmission(
  options: RenderBudgetOptions & { readonly trustProxy: boolean },
): (c: Context<HttpEnv>) => void {
  const budget = createRenderBudget(options);
  return (c) => budget.take(clientAddress(c, options));
}

/** The address, or the first half of an IPv6 address. */
function toClient(address: string): string {
  if (!address.includes(":")) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped) return mapped[1];
  const [head, tail] = address.toLowerCase().split("%")[0].split("::");
  const groups = head === "" ? [] : head.split(":");
  const rest = tail === undefined || tail === "" ? [] : tail.split(":");
  const missing = tail === undefined ? 0 : Math.max(0, 8 - groups.length - rest.length);
  const full = [...groups, ...Array.from({ length: missing }, () => "0"), ...rest];
  return full.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, "")).join(":");
}
