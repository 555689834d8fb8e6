/**
 * Reconciliation: compares the catalog with the bucket, shard by shard, and puts right what drifted
 * apart. One run at a time over all instances; a run that is killed goes on where it was.
 *
 * @module
 */
import { type HeldJobLease, type JobLeases, keepJobLease } from "../core/job_lease.ts";
import { RAW_SHARDS } from "../core/object_keys.ts";
import { AppError } from "../errors.ts";
import { describeFinding, diffShard, type ShardDiff, type ShardFinding } from "./diff_shard.ts";
import type {
  FailureReporter,
  Finding,
  ReconcileCatalog,
  ReconcileLimits,
  ReconcileObjects,
  ReconcileRecords,
  RunContext,
  RunCounts,
  RunRecord,
} from "./ports.ts";
import { emptyQuarantine, quarantineOrphan } from "./quarantine.ts";
import { addCounts, emptyCounts, type MutableCounts } from "./run_counts.ts";
import { createSampler, type Sampler, scrubObject } from "./scrub.ts";
import { settleRow } from "./settle_row.ts";

/** The name of the job's lease. */
const JOB = "reconcile";
/** How long a run may be silent before another takes its place. Milliseconds. */
const LEASE_MS = 60_000;
/** Differences that are acted upon at the same time. */
const CONCURRENCY = 8;
/** Failures in a row after which the store or the catalog must be taken for dead. */
const MAX_ERRORS_IN_A_ROW = 5;
/** Tries to read one shard to its end. */
const SHARD_ATTEMPTS = 3;

const DAY_MS = 24 * 3_600_000;

/** Limits that suit a bucket of millions. */
export const DEFAULT_RECONCILE_LIMITS: ReconcileLimits = {
  graceMs: DAY_MS,
  retentionMs: 30 * DAY_MS,
  maxActions: 10_000,
  maxDeletions: 1_000,
  scrubSamples: 100,
  scrubMaxBytes: 256 * 2 ** 20,
};

/** What the reconciler needs. */
export interface ReconcilerDeps {
  readonly catalog: ReconcileCatalog;
  readonly records: ReconcileRecords;
  readonly objects: ReconcileObjects;
  readonly leases: JobLeases;
  readonly limits: ReconcileLimits;
  readonly newId: () => string;
  /** A clock that never goes back, in milliseconds. */
  readonly monotonicMs: () => number;
  /** 0 to 1, for the choice of samples. */
  readonly random: () => number;
  readonly reportFailure: FailureReporter;
  /** Is told of each run that came to its end, with its duration on this instance. */
  readonly onFinished?: (run: RunRecord, durationMs: number) => void;
  /** Pause before a shard is tried again. Milliseconds. @default {1000} */
  readonly retryPauseMs?: number;
}

/** What to reconcile. */
export interface RunRequest {
  readonly dryRun?: boolean | undefined;
  readonly repair?: boolean | undefined;
  /** One shard, 0 to 255; all when undefined. */
  readonly shard?: number | undefined;
  readonly requestedBy: string;
  readonly signal?: AbortSignal | undefined;
}

/** Compares catalog and bucket. */
export interface Reconciler {
  /**
   * Begins a run and returns at once; `done` resolves with its record at the end.
   *
   * @throws {AppError} `state_conflict` while another run is under way.
   */
  start(request: RunRequest): Promise<{ run: RunRecord; done: Promise<RunRecord> }>;
  /** Stops what runs here and waits for it; it goes on in the next run. */
  close(): Promise<void>;
}

/** Creates the reconciler. */
export function createReconciler(deps: ReconcilerDeps): Reconciler {
  const underWay = new Set<Promise<unknown>>();
  const closing = new AbortController();
  return {
    async start(request) {
      const lease = await deps.leases.acquire(JOB, { holder: deps.newId(), ttlMs: LEASE_MS });
      if (lease === null) {
        throw new AppError("state_conflict", "A reconciliation is under way already");
      }
      const run = await beginRun(deps, request, lease);
      const signal = request.signal
        ? AbortSignal.any([request.signal, closing.signal])
        : closing.signal;
      const done = keepJobLease(
        lease,
        { ttlMs: LEASE_MS, signal },
        (signal) => executeRun(deps, { run, lease, signal }),
      );
      const settled = done.catch(() => {}).finally(() => underWay.delete(settled));
      underWay.add(settled);
      return { run, done };
    },
    async close() {
      closing.abort();
      await Promise.all(underWay);
    },
  };
}

async function beginRun(
  deps: ReconcilerDeps,
  request: RunRequest,
  lease: HeldJobLease,
): Promise<RunRecord> {
  try {
    return await deps.records.begin({
      id: deps.newId(),
      dryRun: request.dryRun ?? false,
      repair: request.repair ?? false,
      firstShard: request.shard ?? 0,
      lastShard: request.shard ?? RAW_SHARDS - 1,
      requestedBy: request.requestedBy,
    }, lease);
  } catch (error) {
    await lease.release().catch(() => {});
    throw error;
  }
}

async function executeRun(
  deps: ReconcilerDeps,
  base: Pick<RunContext, "run" | "lease" | "signal">,
): Promise<RunRecord> {
  const { run, lease, signal } = base;
  const startedMs = deps.monotonicMs();
  let counts: RunCounts = run.counts ?? emptyCounts();
  const sampler = createSampler(deps.limits, deps.random);
  try {
    for (let shard = run.nextShard; shard <= run.lastShard; shard++) {
      const context = { ...base, nowMs: await deps.catalog.nowMs() };
      counts = await reconcileShard(deps, { shard, sampler, counts }, context);
    }
    const last = { ...base, nowMs: await deps.catalog.nowMs() };
    counts = addCounts(counts, await finishUp(deps, sampler, last));
    await deps.records.end(run.id, { status: "finished", counts, error: null }, lease);
  } catch (error) {
    // Stopped, or somebody else has the lease: the run stays open, to be gone on with.
    if (signal.aborted) throw error;
    const message = error instanceof Error ? error.message : String(error);
    await deps.records.end(run.id, { status: "failed", counts, error: message }, lease);
    throw error;
  }
  const record = await deps.records.find(run.id) ?? run;
  deps.onFinished?.(record, deps.monotonicMs() - startedMs);
  return record;
}

async function reconcileShard(
  deps: ReconcilerDeps,
  work: { readonly shard: number; readonly sampler: Sampler; readonly counts: RunCounts },
  context: RunContext,
): Promise<RunCounts> {
  const { run, lease, signal } = context;
  const diff = await readShard(deps, work, context);
  const findings = await actOnFindings(deps, { diff, before: work.counts }, context);
  signal.throwIfAborted();
  const counts = addCounts(work.counts, diff.counts);
  const shard = { number: work.shard, counts, findings, complete: diff.complete };
  const saved = await deps.records.saveShard(run, shard, lease);
  if (!saved) throw new AppError("state_conflict", "Another reconciliation has taken over");
  return counts;
}

/** A listing may fail for a moment; what a failed try has seen is forgotten. */
async function readShard(
  deps: ReconcilerDeps,
  { shard, sampler }: { readonly shard: number; readonly sampler: Sampler },
  { nowMs, signal }: RunContext,
): Promise<ShardDiff> {
  const { graceMs } = deps.limits;
  for (let attempt = 1;; attempt++) {
    try {
      const onHealthy = sampler.offer;
      return await diffShard(deps, { shard, nowMs, graceMs, signal, onHealthy });
    } catch (error) {
      signal.throwIfAborted();
      if (attempt === SHARD_ATTEMPTS) throw error;
      deps.reportFailure("shard not read", { error, shard });
      await new Promise((resolve) => setTimeout(resolve, attempt * (deps.retryPauseMs ?? 1_000)));
    }
  }
}

async function actOnFindings(
  deps: ReconcilerDeps,
  { diff, before }: { readonly diff: ShardDiff; readonly before: RunCounts },
  context: RunContext,
): Promise<Finding[]> {
  const records: Finding[] = [];
  const queue = [...diff.findings];
  let errorsInARow = 0;
  const act = async (found: ShardFinding) => {
    let action: string | null = null;
    try {
      action = await actOn(deps, { found, done: before, counts: diff.counts }, context);
      errorsInARow = 0;
    } catch (error) {
      context.signal.throwIfAborted();
      diff.counts.errors++;
      deps.reportFailure("finding not settled", { error, key: found.key });
      if (++errorsInARow >= MAX_ERRORS_IN_A_ROW) throw error;
    }
    records.push({ kind: found.kind, key: found.key, action, details: describeFinding(found) });
  };
  while (queue.length > 0) {
    const outcomes = await Promise.allSettled(queue.splice(0, CONCURRENCY).map(act));
    const failure = outcomes.find((each) => each.status === "rejected");
    if (failure) throw failure.reason;
  }
  return records;
}

async function actOn(
  deps: ReconcilerDeps,
  work: {
    readonly found: ShardFinding;
    readonly done: RunCounts;
    readonly counts: MutableCounts;
  },
  context: RunContext,
): Promise<string | null> {
  const { found: { kind, key, row }, done, counts } = work;
  const { run } = context;
  if (run.dryRun || (kind === "orphan" && !run.repair)) return null;
  if (done.acted[kind] + counts.acted[kind] >= deps.limits.maxActions) {
    counts.postponed++;
    return null;
  }
  // Before the work, not after it: those that run at the same time must not pass the cap together.
  counts.acted[kind]++;
  let action: string | null = null;
  try {
    action = kind === "orphan"
      ? await quarantineOrphan(deps, key, context)
      : await settleRow({ ...deps, graceMs: deps.limits.graceMs }, {
        kind,
        hash: row!.contentHash,
      }, context);
  } finally {
    if (action === null) counts.acted[kind]--;
  }
  if (action === null) counts.left++;
  return action;
}

/** The scrub, and the end of what earlier runs put aside. */
async function finishUp(
  deps: ReconcilerDeps,
  sampler: Sampler,
  context: RunContext,
): Promise<RunCounts> {
  const counts = emptyCounts();
  const findings: Finding[] = [];
  for (const hash of sampler.picked) {
    context.signal.throwIfAborted();
    try {
      const finding = await scrubObject(deps, hash, context);
      counts.scrubbed++;
      if (finding) findings.push(finding);
    } catch (error) {
      context.signal.throwIfAborted();
      counts.errors++;
      deps.reportFailure("object not scrubbed", { error, key: hash });
      if (counts.errors >= MAX_ERRORS_IN_A_ROW) break;
    }
  }
  counts.scrubMismatches = findings.length;
  await deps.records.saveFindings(context.run, findings);
  const { run } = context;
  if (run.repair && !run.dryRun) counts.quarantineDeleted = await emptyQuarantine(deps, context);
  return counts;
}
