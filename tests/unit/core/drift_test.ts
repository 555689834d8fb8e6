import assert from "node:assert/strict";
import type { AssetState } from "../../../src/core/asset_state.ts";
import { type CatalogRow, classifyDrift } from "../../../src/core/drift.ts";
import type { StorageClass } from "../../../src/core/storage_class.ts";

const TIMES = { nowMs: 1_000_000, graceMs: 1_000 };

function row(state: AssetState, more: Partial<CatalogRow> = {}): CatalogRow {
  return {
    state,
    sizeBytes: 10,
    storageClass: null,
    flagged: null,
    ageMs: 5_000,
    ...more,
  };
}

function object(
  more: { sizeBytes?: number; storageClass?: StorageClass; ageMs?: number } = {},
) {
  return {
    sizeBytes: 10,
    storageClass: "standard" as const,
    lastModifiedAt: new Date(TIMES.nowMs - (more.ageMs ?? 5_000)),
    ...more,
  };
}

Deno.test("classifyDrift() tells every kind of difference", () => {
  const cases: [CatalogRow | null, ReturnType<typeof object> | null, string | null][] = [
    [row("READY"), object(), null],
    [row("READY"), null, "missing"],
    [row("ARCHIVED"), null, "missing"],
    [row("MISSING"), null, null],
    [row("DELETED"), null, null],
    [row("UPLOADING"), null, null],
    [null, object(), "orphan"],
    [row("DELETED"), object(), "orphan"],
    [row("FAILED"), object(), null],
    [row("UPLOADING"), object(), null],
    [row("VERIFIED"), object({ sizeBytes: 11 }), null],
    [row("MISSING"), object(), "back_again"],
    [row("MISSING"), object({ sizeBytes: 11 }), "size_mismatch"],
    [row("READY"), object({ sizeBytes: 11 }), "size_mismatch"],
    [row("READY", { flagged: "size_mismatch" }), object(), "back_again"],
    [row("READY", { flagged: "hash_mismatch" }), object(), null],
    [row("READY"), object({ storageClass: "infrequent" }), null],
    [row("READY"), object({ storageClass: "archive" }), "archived"],
    [row("ARCHIVED", { storageClass: "archive" }), object({ storageClass: "archive" }), null],
    [row("ARCHIVED", { storageClass: "archive" }), object(), "restored"],
    [row("ARCHIVED", { storageClass: "infrequent" }), object({ storageClass: "infrequent" }), null],
    [row("ARCHIVED", { storageClass: "infrequent" }), object(), "restored"],
    [
      row("ARCHIVED", { storageClass: "archive" }),
      object({ storageClass: "infrequent" }),
      "restored",
    ],
  ];
  for (const [left, right, expected] of cases) {
    assert.equal(classifyDrift(left, right, TIMES), expected, JSON.stringify([left, right]));
  }
});

Deno.test("classifyDrift() leaves the young alone, by either clock", () => {
  assert.equal(classifyDrift(row("READY", { ageMs: 999 }), null, TIMES), null);
  assert.equal(classifyDrift(null, object({ ageMs: 999 }), TIMES), null);
  // A store whose clock is ahead makes objects of the future: they are young.
  assert.equal(classifyDrift(null, object({ ageMs: -3_600_000 }), TIMES), null);
});
