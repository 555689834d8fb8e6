import { parseArgs } from "node:util";
import { AppError } from "../errors.ts";
import { DRIFT_KINDS } from "../core/drift.ts";
import type { ReconcileRecords, RunRecord } from "../reconcile/ports.ts";
import type { Reconciler } from "../reconcile/reconciler.ts";
import { calculateDriftRatio, countMismatches } from "../core/drift_ratio.ts";
import { parseShardPrefix } from "../reconcile/shard_prefix.ts";

/** What {@linkcode runReconcileCommand} needs. */
export interface ReconcileCommandDeps {
  readonly reconciler: Pick<Reconciler, "start">;
  readonly records: Pick<ReconcileRecords, "listFindings">;
  readonly printLine: (text?: string) => void;
  readonly printErrorLine: (text: string) => void;
}

const USAGE = `Usage:
  reconcile [--dry-run] [--shard raw/ab/] [--repair]

Compares the catalog with the bucket. Marks assets MISSING, READY or ARCHIVED and flags wrong ones;
with --repair it also moves orphans to quarantine/, and later away. With --dry-run it only tells.`;

/** Findings that are printed. */
const MAX_PRINTED = 100;

/** `reconcile`. Returns the exit code: 0 done, 1 failed or another run is under way, 2 wrong usage. */
export async function runReconcileCommand(
  args: readonly string[],
  deps: ReconcileCommandDeps,
): Promise<number> {
  const request = parseRequest(args);
  if (typeof request === "string") {
    deps.printErrorLine(`facet: reconcile: ${request}\n${USAGE}`);
    return 2;
  }
  try {
    const { run, done } = await deps.reconciler.start({ ...request, requestedBy: "command line" });
    if (run.nextShard > run.firstShard) {
      deps.printErrorLine(`facet: goes on with run ${run.id} at shard ${run.nextShard} of 256`);
    }
    await printRun(await done, deps);
    return 0;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    deps.printErrorLine(`facet: reconcile: ${error.message}`);
    return 1;
  }
}

function parseRequest(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        "dry-run": { type: "boolean", default: false },
        repair: { type: "boolean", default: false },
        shard: { type: "string" },
      },
    });
    const shard = values.shard === undefined ? undefined : parseShardPrefix(values.shard);
    if (shard === null) return `"${values.shard}" is no shard: raw/00/ to raw/ff/`;
    return { dryRun: values["dry-run"], repair: values.repair, shard };
  } catch (error) {
    return (error as Error).message;
  }
}

async function printRun(run: RunRecord, deps: ReconcileCommandDeps): Promise<void> {
  const { counts } = run;
  const took = run.finishedAt ? ` in ${formatSeconds(run)} s` : "";
  const dry = run.dryRun ? " (dry: nothing was changed)" : "";
  deps.printLine(`run ${run.id} ${run.status}${took}${dry}`);
  if (counts === null) return;
  deps.printLine(`${counts.rows} rows, ${counts.objects} objects compared`);
  for (const kind of DRIFT_KINDS) {
    if (counts.found[kind] === 0) continue;
    deps.printLine(`${kind.padEnd(14)} found ${counts.found[kind]}, settled ${counts.acted[kind]}`);
  }
  deps.printLine(
    `scrubbed ${counts.scrubbed}, with other bytes ${counts.scrubMismatches}; ` +
      `postponed ${counts.postponed}, errors ${counts.errors}; ` +
      `deleted from quarantine ${counts.quarantineDeleted}`,
  );
  deps.printLine(
    `mismatches ${countMismatches(counts)}, drift ${
      (calculateDriftRatio(counts) * 100).toFixed(4)
    } %`,
  );
  for (const { kind, key, action } of await deps.records.listFindings(run.id, MAX_PRINTED)) {
    deps.printLine(`  ${kind.padEnd(14)} ${key}${action ? `  → ${action}` : ""}`);
  }
}

function formatSeconds({ startedAt, finishedAt }: RunRecord): string {
  return ((finishedAt!.getTime() - startedAt.getTime()) / 1000).toFixed(1);
}
