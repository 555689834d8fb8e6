import { Hono } from "hono";
import type { HttpEnv } from "../http_env.ts";

/** How one thing we depend on is doing. */
export interface DependencyHealth {
  readonly status: "up" | "degraded" | "down" | "disabled";
  /** How long the probe took, in milliseconds. */
  readonly latencyMs?: number;
  /** A public sentence; no addresses, no credentials. */
  readonly detail?: string;
}

/** Probes one dependency. Rejects, or hangs, when it is down. */
export interface DependencyProbe {
  readonly name: string;
  /** Whether the service cannot do its work without it; others only degrade it. */
  readonly required: boolean;
  /**
   * Resolves to false when the dependency is switched off by configuration; to a public sentence
   * when part of the work can be done.
   */
  readonly probe: (signal: AbortSignal) => Promise<boolean | string>;
}

/** What the health routes need. */
export interface HealthOptions {
  readonly dependencies: readonly DependencyProbe[];
  /** A probe that takes longer counts as down. Milliseconds. */
  readonly probeTimeoutMs: number;
  readonly nowMs: () => number;
  /** True once shutdown has begun: not ready any more, so that no new traffic is sent here. */
  readonly isShuttingDown: () => boolean;
}

/** `/healthz` (the process is alive) and `/readyz` (it can do its work, dependency by dependency). */
export function healthRoutes(options: HealthOptions): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  routes.get("/healthz", (c) => {
    c.header("cache-control", "no-store");
    return c.json({ status: "ok" });
  });
  routes.get("/readyz", async (c) => {
    const entries = await Promise.all(
      options.dependencies.map(async (each) => [each.name, await check(each, options)] as const),
    );
    const failed = options.dependencies.some((each, index) =>
      each.required && entries[index][1].status === "down"
    );
    const ready = !failed && !options.isShuttingDown();
    c.header("cache-control", "no-store");
    return c.json({
      status: ready ? "ready" : options.isShuttingDown() ? "shutting down" : "not ready",
      dependencies: Object.fromEntries(entries),
    }, ready ? 200 : 503);
  });
  return routes;
}

async function check(
  dependency: DependencyProbe,
  options: HealthOptions,
): Promise<DependencyHealth> {
  const startedAt = options.nowMs();
  const signal = AbortSignal.timeout(options.probeTimeoutMs);
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(new Error("timed out")), { once: true });
  });
  try {
    const result = await Promise.race([dependency.probe(signal), late]);
    if (result === false) return { status: "disabled", detail: "not configured" };
    const latencyMs = Math.round(options.nowMs() - startedAt);
    return result === true
      ? { status: "up", latencyMs }
      : { status: "degraded", latencyMs, detail: result };
  } catch {
    return {
      status: "down",
      latencyMs: Math.round(options.nowMs() - startedAt),
      detail: signal.aborted ? "no answer in time" : "unreachable or refusing",
    };
  }
}
