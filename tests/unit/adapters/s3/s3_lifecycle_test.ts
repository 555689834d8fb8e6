import assert from "node:assert/strict";
import {
  formatLifecycleRule,
  parseLifecycleRule,
} from "../../../../src/adapters/s3/s3_lifecycle.ts";
import {
  AWS_STORAGE_CLASSES,
  parseRestoreHeader,
  parseStorageClass,
} from "../../../../src/adapters/s3/s3_storage_class.ts";
import type { LifecycleRule } from "../../../../src/core/storage_class.ts";

const R2 = { standard: "STANDARD", infrequent: "STANDARD_IA", archive: "STANDARD_IA" };

const RAW: LifecycleRule = {
  id: "age-raw",
  prefix: "raw/",
  transitions: [{ afterDays: 30, to: "infrequent" }, { afterDays: 365, to: "archive" }],
  expireAfterDays: null,
  abortMultipartAfterDays: 2,
};

Deno.test("parseLifecycleRule() reads what formatLifecycleRule() writes", () => {
  const written = formatLifecycleRule(RAW, AWS_STORAGE_CLASSES);
  assert.deepEqual(written.Transitions, [
    { Days: 30, StorageClass: "STANDARD_IA" },
    { Days: 365, StorageClass: "GLACIER" },
  ]);
  assert.equal(written.Expiration, undefined);
  assert.deepEqual(parseLifecycleRule(written, AWS_STORAGE_CLASSES), RAW);
});

Deno.test("parseLifecycleRule() marks rules that say more than it can", () => {
  const rule = { ID: "tags", Status: "Enabled" as const, Expiration: { Days: 3 } };
  assert.equal(parseLifecycleRule(rule, AWS_STORAGE_CLASSES).isPartial, undefined);
  const more = [
    { ...rule, Filter: { Tag: { Key: "a", Value: "b" } } },
    { ...rule, Expiration: { Date: new Date() } },
    { ...rule, NoncurrentVersionExpiration: { NoncurrentDays: 3 } },
    { ...rule, Transitions: [{ Date: new Date(), StorageClass: "GLACIER" as const }] },
  ];
  for (const one of more) {
    assert.equal(parseLifecycleRule(one, AWS_STORAGE_CLASSES).isPartial, true);
  }
});

Deno.test("parseStorageClass() knows the names of every store", () => {
  const parse = (name?: string): string => parseStorageClass(name, AWS_STORAGE_CLASSES);
  assert.deepEqual(
    [undefined, "STANDARD", "STANDARD_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE", "?"].map(parse),
    ["standard", "standard", "infrequent", "infrequent", "archive", "archive", "standard"],
  );
  assert.equal(parseStorageClass("STANDARD_IA", R2), "infrequent");
});

Deno.test("parseRestoreHeader() reads both states and survives nonsense", () => {
  assert.equal(parseRestoreHeader(undefined), null);
  assert.deepEqual(parseRestoreHeader('ongoing-request="true"'), {
    ongoing: true,
    expiresAt: null,
  });
  assert.deepEqual(parseRestoreHeader('ongoing-request="false", expiry-date="never"'), {
    ongoing: false,
    expiresAt: null,
  });
});
