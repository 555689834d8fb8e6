import { DRIFT_KINDS, type DriftKind } from "../core/drift.ts";
import type { RunCounts } from "./ports.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Counts under construction. */
export type MutableCounts = Writable<Omit<RunCounts, "found" | "acted">> & {
  readonly found: Record<DriftKind, number>;
  readonly acted: Record<DriftKind, number>;
};

/** Counts of nothing. */
export function emptyCounts(): MutableCounts {
  const zeros = () =>
    Object.fromEntries(DRIFT_KINDS.map((kind) => [kind, 0])) as Record<DriftKind, number>;
  return {
    rows: 0,
    objects: 0,
    rowBytes: 0,
    objectBytes: 0,
    found: zeros(),
    acted: zeros(),
    left: 0,
    postponed: 0,
    errors: 0,
    scrubbed: 0,
    scrubMismatches: 0,
    quarantineDeleted: 0,
  };
}

/** The sum of two counts. */
export function addCounts(a: RunCounts, b: RunCounts): MutableCounts {
  const sum = emptyCounts();
  for (const each of [a, b]) {
    for (const [name, value] of Object.entries(each)) {
      if (typeof value === "number") (sum as unknown as Record<string, number>)[name] += value;
    }
    for (const kind of DRIFT_KINDS) {
      sum.found[kind] += each.found[kind];
      sum.acted[kind] += each.acted[kind];
    }
  }
  return sum;
}
