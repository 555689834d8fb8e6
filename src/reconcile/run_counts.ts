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

/** Findings of a run, hash mismatches of the scrub included. */
export function countMismatches(counts: RunCounts): number {
  return DRIFT_KINDS.reduce((sum, kind) => sum + counts.found[kind], counts.scrubMismatches);
}

/** Findings per thing looked at, 0 to 1. */
export function calculateDriftRatio(counts: RunCounts): number {
  const looked = Math.max(counts.rows, counts.objects);
  return looked === 0 ? 0 : Math.min(1, countMismatches(counts) / looked);
}
