import type { MiddlewareHandler } from "hono";
import { hasScope, type Principal, type Scope } from "../../core/principal.ts";
import { AppError } from "../../errors.ts";
import type { HttpEnv } from "../http_env.ts";

/** Finds out who presents a key. */
export interface Authenticator {
  /** Returns the caller for a presented API key, or null when the key is unknown, expired or revoked. */
  authenticate(presentedKey: string): Promise<Principal | null>;
}

/** Longer keys are refused before they are hashed. */
const MAX_KEY_LENGTH = 512;

/**
 * Middleware that lets a request pass only with a bearer key that holds `scope` (RFC 6750).
 *
 * @throws {AppError} `unauthorized` without a valid key, `missing_scope` when the key lacks the scope.
 */
export function requireScope(
  scope: Scope,
  authenticator: Authenticator,
): MiddlewareHandler<HttpEnv> {
  return async function requireScope(c, next) {
    const principal = await authenticateRequest(c.req.header("authorization"), authenticator);
    if (!hasScope(principal, scope)) {
      throw new AppError("missing_scope", `This key does not have the scope "${scope}"`);
    }
    c.set("principal", principal);
    await next();
  };
}

async function authenticateRequest(
  header: string | undefined,
  authenticator: Authenticator,
): Promise<Principal> {
  const match = /^Bearer +([\x21-\x7e]+) *$/i.exec(header ?? "");
  const principal = match && match[1].length <= MAX_KEY_LENGTH
    ? await authenticator.authenticate(match[1])
    : null;
  if (!principal) throw new AppError("unauthorized", "A valid API key is required");
  return principal;
}
