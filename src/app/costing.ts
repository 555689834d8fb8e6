import type { Database } from "../adapters/postgres/database.ts";
import { createDigestRecords } from "../adapters/postgres/digest_records.ts";
import { createUsageReader } from "../adapters/postgres/usage_reader.ts";
import { createSignedWebhook } from "../adapters/webhook/signed_webhook.ts";
import type { Config } from "../config.ts";
import type { PriceProfile } from "../core/cost_model.ts";
import { createBudgetDigest } from "../costs/budget_digest.ts";
import { buildCostReport, type CostReport } from "../costs/cost_report.ts";
import { isProfileName, parsePriceProfile, PRICE_PROFILES } from "../costs/price_profiles.ts";
import type { HttpRoutes } from "../http/http_env.ts";
import type { Authenticator } from "../http/middleware/authentication.ts";
import { costRoutes } from "../http/routes/cost.ts";
import { StartError } from "./start_error.ts";

/** Which report is wanted; null is the configured profile. */
interface ReportWish {
  readonly days: number;
  readonly profile: string | null;
}

/** Cost reports, wired up. */
export interface Costing {
  /** @throws {TypeError} When there is no such profile, or the file is none. */
  report(wish: ReportWish): Promise<CostReport>;
  routes(authenticator: Authenticator): HttpRoutes;
  /** Sends the digest of the day, unless it was sent or nobody wants one. */
  sendDigest(): Promise<unknown>;
}

/** Wires the reports about costs. */
export function createCosting(config: Config, database: Database): Costing {
  const { profile: configured, migrationUsd, budgetUsd, webhook } = config.upkeep.cost;
  const reader = createUsageReader(database);
  const report = async ({ days, profile }: ReportWish) =>
    await buildCostReport(reader, {
      days,
      migrationUsd,
      profile: await loadProfile(profile ?? configured),
    });
  return {
    report,
    routes: (authenticator) =>
      costRoutes({
        authenticator,
        // A client may name a profile, never a file of the server.
        report: async (wish) =>
          wish.profile === null || isProfileName(wish.profile) ? await report(wish) : null,
      }),
    async sendDigest() {
      if (webhook === null) return "no webhook is configured";
      const digest = createBudgetDigest({
        reader,
        records: createDigestRecords(database),
        webhook: createSignedWebhook({ ...webhook, nowSeconds: () => Date.now() / 1000 }),
        profile: () => loadProfile(configured),
        budgetUsd,
        now: () => new Date(),
      });
      return await digest.sendToday();
    },
  };
}

/**
 * Finds out at the start, not with the first report, that the configured profile is none.
 *
 * @throws {StartError} When there is no such profile, or the file is none.
 */
export async function checkPriceProfile(name: string): Promise<void> {
  try {
    await loadProfile(name);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new StartError(`COST_PROFILE: ${error.message}`);
  }
}

async function loadProfile(name: string): Promise<PriceProfile> {
  if (isProfileName(name)) return PRICE_PROFILES[name];
  let text: string;
  try {
    text = await Deno.readTextFile(name);
  } catch {
    throw new TypeError(`There is no price profile "${name}", and no such file`);
  }
  return parsePriceProfile(text);
}
