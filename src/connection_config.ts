import type { EnvReader } from "./env_reader.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

/** How long a connection may wait for its client, and how many there may be. */
export interface ConnectionLimits {
  /** From connecting to the end of the first request's header. Milliseconds. */
  readonly headerTimeoutMs: number;
  /**
   * From an answer to the end of the next request's header; whoever does not read the answer sends
   * no further request either. Milliseconds.
   */
  readonly idleTimeoutMs: number;
  /** Beyond these the connection that has waited longest makes room, or the new one is closed. */
  readonly maxConnections: number;
}

/**
 * Limits of what one client's connection may cost; null without limits, as on Deno Deploy, whose
 * proxy is what clients connect to.
 */
export function readConnectionLimits(
  env: EnvReader,
  onDenoDeploy: boolean,
): ConnectionLimits | null {
  const headerTimeoutMs = env.durationMs("HEADER_TIMEOUT", onDenoDeploy ? 0 : 15 * SECOND, {
    min: 0,
    max: HOUR,
  });
  const limits = {
    headerTimeoutMs,
    // Longer than the 60 s for which load balancers keep connections: who closes first matters.
    idleTimeoutMs: env.durationMs("IDLE_TIMEOUT", 75 * SECOND, { min: SECOND, max: HOUR }),
    // About 25 KiB each.
    maxConnections: env.integer("MAX_CONNECTIONS", 2_048, { min: 1, max: 1_000_000 }),
  };
  return headerTimeoutMs === 0 ? null : limits;
}
