import assert from "node:assert/strict";
import type { Principal } from "../../src/core/principal.ts";
import { createHttpApp } from "../../src/http/app.ts";
import { costRoutes } from "../../src/http/routes/cost.ts";
import { createUsageReader } from "../../src/adapters/postgres/usage_reader.ts";
import { buildCostReport } from "../../src/costs/cost_report.ts";
import { PRICE_PROFILES } from "../../src/costs/price_profiles.ts";
import { SILENT_LOGGER } from "../../src/telemetry/logger.ts";
import { openTestDatabase } from "../support/test_database.ts";

Deno.test("GET /v1/admin/cost answers with the report, to admins", async () => {
  const opened = await openTestDatabase();
  try {
    const app = createHttpApp({
      routes: [
        costRoutes({
          authenticator: {
            authenticate: (key) =>
              Promise.resolve(
                { keyId: key, tenant: "a", scopes: new Set([key]) } as unknown as Principal,
              ),
          },
          report: ({ days, profile }) =>
            profile === "none" ? Promise.resolve(null) : buildCostReport(
              createUsageReader(opened.database),
              { days, profile: PRICE_PROFILES.reference, migrationUsd: null },
            ),
        }),
      ],
      logger: SILENT_LOGGER,
      newId: () => crypto.randomUUID(),
      nowMs: () => performance.now(),
      accessLog: undefined,
    });
    const get = (query: string, key = "admin") =>
      app.request(`/v1/admin/cost${query}`, { headers: { authorization: `Bearer ${key}` } });
    const response = await get("?days=7");
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("cache-control"), "no-store");
    const report = await response.json();
    assert.equal(report.profile.name, "reference");
    // No bytes, 2.1 M requests, 0.84 M misses.
    assert.deepEqual(report.reference, {
      currentUsd: 0.42,
      legacyUsd: 4.2,
      savingsUsd: 3.78,
      roiPercent: 90,
      breakEvenMonths: 0.1,
    });
    assert.equal((await get("", "read")).status, 403);
    for (const query of ["?days=0", "?days=x", "?days=999", "?profile=none"]) {
      assert.equal((await get(query)).status, 400, query);
    }
  } finally {
    await opened.close();
  }
});
