import { DRIFT_KINDS, type DriftKind } from "./drift.ts";

/** What a comparison of catalog and bucket adds up to. */
export interface DriftCounts {
  readonly rows: number;
  readonly objects: number;
  readonly rowBytes: number;
  readonly objectBytes: number;
  readonly found: Readonly<Record<DriftKind, number>>;
  readonly scrubMismatches: number;
}

/** Findings of a run, hash mismatches of the scrub included. */
export function countMismatches(counts: DriftCounts): number {
  return DRIFT_KINDS.reduce((sum, kind) => sum + counts.found[kind], counts.scrubMismatches);
}

/** Findings per thing looked at, 0 to 1. */
export function calculateDriftRatio(counts: DriftCounts): number {
  const looked = Math.max(counts.rows, counts.objects);
  return looked === 0 ? 0 : Math.min(1, countMismatches(counts) / looked);
}
