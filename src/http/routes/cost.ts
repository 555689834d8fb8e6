import { Hono } from "hono";
import type { CostReport } from "../../costs/cost_report.ts";
import { AppError } from "../../errors.ts";
import type { HttpEnv } from "../http_env.ts";
import { type Authenticator, requireScope } from "../middleware/authentication.ts";

/** What the cost route needs. */
export interface CostRoutesOptions {
  readonly authenticator: Authenticator;
  /** Null when there is no such profile. */
  readonly report: (
    request: { readonly days: number; readonly profile: string | null },
  ) => Promise<CostReport | null>;
}

const MAX_DAYS = 366;

/** `GET /v1/admin/cost?days=30&profile=r2`: the cost report. */
export function costRoutes(options: CostRoutesOptions): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  routes.get("/v1/admin/cost", requireScope("admin", options.authenticator), async (c) => {
    const days = parseDays(c.req.query("days") ?? "30");
    const report = await options.report({ days, profile: c.req.query("profile") ?? null });
    if (report === null) {
      throw new AppError("invalid_request", '"profile" is one of r2, s3 and reference');
    }
    c.header("cache-control", "no-store");
    return c.json(report);
  });
  return routes;
}

function parseDays(text: string): number {
  const days = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (days < 1 || days > MAX_DAYS) {
    throw new AppError("invalid_request", `"days" is a whole number from 1 to ${MAX_DAYS}`);
  }
  return days;
}
