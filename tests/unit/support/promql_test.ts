import assert from "node:assert/strict";
import { listMetricNames } from "../../support/promql.ts";

Deno.test("listMetricNames() finds metrics, not functions, labels, strings or variables", () => {
  const query = 'histogram_quantile(0.95, sum by (le, x) (rate(a_bucket{tier="kv_b"}[5m]))) ' +
    "/ on(job) group_left c_total * 1e9 * $usd > bool 0.7 and absent(d)";
  assert.deepEqual(listMetricNames(query), ["a_bucket", "c_total", "d"]);
});
