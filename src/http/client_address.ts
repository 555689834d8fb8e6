import type { Context } from "hono";
import type { HttpEnv } from "./http_env.ts";

/** Longest address that is believed: IPv6 with an embedded IPv4 address and a zone. */
const MAX_ADDRESS_LENGTH = 64;

/**
 * The address of the client: the peer's, or what a trusted proxy says of its peer, which is the
 * last entry of `X-Forwarded-For`. Earlier entries are what the client itself may have sent.
 */
export function clientAddress(c: Context<HttpEnv>, options: { trustProxy: boolean }): string {
  const peer = c.env?.remoteAddress ?? "";
  if (!options.trustProxy) return peer;
  const forwarded = c.req.header("x-forwarded-for")?.split(",").at(-1)?.trim() ?? "";
  return /^[0-9A-Fa-f.:]+$/.test(forwarded) && forwarded.length <= MAX_ADDRESS_LENGTH
    ? forwarded
    : peer;
}
