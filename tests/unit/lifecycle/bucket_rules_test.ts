import assert from "node:assert/strict";
import type { BucketLifecycle, LifecycleRule } from "../../../src/core/storage_class.ts";
import {
  applyBucketRules,
  buildBucketRules,
  planBucketRules,
  type StoreDialect,
} from "../../../src/lifecycle/bucket_rules.ts";
import { formatLifecycleRule, parseLifecycleRule } from "../../../src/adapters/s3/s3_lifecycle.ts";
import { createS3ObjectStore } from "../../../src/adapters/s3/s3_object_store.ts";
import { findTestS3 } from "../../support/test_s3.ts";

const AWS = { dialect: "aws", uploadDays: 1 } as const;

const FOREIGN: LifecycleRule = {
  id: "logs",
  prefix: "logs/",
  transitions: [],
  expireAfterDays: 30,
  abortMultipartAfterDays: null,
};
const R2_DEFAULT: LifecycleRule = {
  ...FOREIGN,
  id: "Default Multipart Abort Rule",
  prefix: "",
  expireAfterDays: null,
  abortMultipartAfterDays: 7,
};

/** A bucket that keeps rules, as `alter` makes them. */
function createBucket(
  rules: LifecycleRule[] | null,
  alter = (rules: LifecycleRule[]) => rules,
): BucketLifecycle & { rules: LifecycleRule[] | null; puts: number } {
  const bucket = {
    rules,
    puts: 0,
    getLifecycle: () => Promise.resolve(bucket.rules),
    putLifecycle(rules: readonly LifecycleRule[]) {
      bucket.puts++;
      bucket.rules = alter([...rules]).reverse();
      return Promise.resolve();
    },
  };
  return bucket;
}

Deno.test("buildBucketRules() cools originals by dialect and clears what uploads leave", () => {
  const steps = (dialect: StoreDialect) =>
    buildBucketRules({ dialect, uploadDays: 1 })[0].transitions
      .map(({ afterDays, to }) => `${afterDays} ${to}`);
  assert.deepEqual(steps("aws"), ["30 infrequent", "365 archive"]);
  assert.deepEqual(steps("r2"), ["30 infrequent"]);
  assert.deepEqual(steps("ceph"), []);
  const [raw, staging] = buildBucketRules({ dialect: "aws", uploadDays: 30 });
  assert.deepEqual([raw.prefix, raw.expireAfterDays], ["raw/", null]);
  assert.deepEqual(
    [staging.prefix, staging.expireAfterDays, staging.abortMultipartAfterDays],
    ["staging/", 32, 32],
  );
});

Deno.test("applyBucketRules() applies once, and keeps what it can keep", async () => {
  const bucket = createBucket([R2_DEFAULT]);
  assert.equal((await applyBucketRules(bucket, AWS)).outcome, "applied");
  assert.deepEqual(bucket.rules?.map(({ id }) => id).sort(), [
    "Default Multipart Abort Rule",
    "facet-raw",
    "facet-staging",
  ]);
  assert.equal((await applyBucketRules(bucket, AWS)).outcome, "in_force");
  assert.equal(bucket.puts, 1);
});

Deno.test("applyBucketRules() refuses to replace rules of others", async () => {
  const switchedOff = { ...FOREIGN, isDisabled: true };
  for (const rule of [FOREIGN, switchedOff, { ...R2_DEFAULT, isPartial: true }]) {
    const bucket = createBucket([rule]);
    const result = await applyBucketRules(bucket, AWS);
    assert.equal(result.outcome, "foreign");
    assert.deepEqual([bucket.puts, bucket.rules], [0, [rule]]);
  }
});

Deno.test("applyBucketRules() switches its own rules on again, and keeps those of others as they are", async () => {
  const ours = buildBucketRules(AWS).map((rule) => ({ ...rule, isDisabled: true }));
  const bucket = createBucket([...ours, { ...R2_DEFAULT, isDisabled: true }]);
  assert.equal((await planBucketRules(bucket, AWS)).inForce, false);
  assert.equal((await applyBucketRules(bucket, AWS)).outcome, "applied");
  assert.deepEqual(
    bucket.rules?.map(({ id, isDisabled = false }) => [id, isDisabled]).sort(),
    [["Default Multipart Abort Rule", true], ["facet-raw", false], ["facet-staging", false]],
  );
});

Deno.test("parseLifecycleRule() reads back what formatLifecycleRule() wrote, switched off or not", () => {
  const names = { standard: "STANDARD", infrequent: "STANDARD_IA", archive: "GLACIER" };
  for (const rule of [...buildBucketRules(AWS), R2_DEFAULT, { ...FOREIGN, isDisabled: true }]) {
    const written = formatLifecycleRule(rule, names);
    assert.equal(written.Status, rule.isDisabled ? "Disabled" : "Enabled");
    assert.deepEqual(parseLifecycleRule(written, names), rule);
  }
});

Deno.test("applyBucketRules() says when the store made something else of the rules", async () => {
  const dropping = createBucket([], (rules) => rules.map((rule) => ({ ...rule, transitions: [] })));
  assert.equal((await applyBucketRules(dropping, AWS)).outcome, "differs");
  assert.equal((await applyBucketRules(createBucket(null), AWS)).outcome, "unsupported");
});

const s3 = findTestS3();
if (s3) {
  Deno.test("applyBucketRules() is understood by a real gateway", async () => {
    const store = createS3ObjectStore(s3);
    const options = {
      dialect: s3.hasStorageClasses ? "ceph-tiered" : "ceph",
      uploadDays: 1,
    } as const;
    try {
      await store.putLifecycle([]);
      assert.equal((await applyBucketRules(store, options)).outcome, "applied");
      assert.ok((await planBucketRules(store, options)).inForce);
    } finally {
      await store.putLifecycle([]);
      await store.close();
    }
  });
}
