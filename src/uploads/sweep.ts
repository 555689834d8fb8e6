/**
 * The sweep: finishes or fails what a crash left between states, and removes what it left in
 * staging. Safe beside live uploads and other sweeps: it takes over only what no lease protects.
 * What deletions leave is not its business: the purge outbox holds that.
 *
 * @module
 */
import type { FactReader, FailureReporter } from "./ports.ts";
import { sweepContent } from "./sweep_content.ts";
import type { SweepCatalog, SweepObjects, SweepSessions } from "./sweep_ports.ts";
import { sweepSession, sweepStrays } from "./sweep_staging.ts";

/** What the sweep needs. Durations in milliseconds. */
export interface SweepDeps {
  readonly catalog: SweepCatalog;
  readonly sessions: SweepSessions;
  readonly objects: SweepObjects;
  readonly facts: FactReader;
  readonly newId: () => string;
  readonly now: () => Date;
  /** How long a row under work is kept from others. @default {30_000} */
  readonly leaseMs?: number | undefined;
  /** Age at which a staging object without a session is removed. @default {172_800_000} two days */
  readonly strayAgeMs?: number | undefined;
  readonly reportFailure?: FailureReporter | undefined;
}

/** How far one run goes. */
export interface SweepOptions {
  /** Most rows and sessions, each. @default {500} */
  readonly limit?: number | undefined;
  /** Only counts what there is to do. */
  readonly dryRun?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What one run did (or, dry, found). */
export interface SweepReport {
  /** Stuck content rows and dead sessions that were found, within the limit. */
  readonly stuck: number;
  readonly deadSessions: number;
  readonly ready: number;
  readonly failed: number;
  readonly sessionsRemoved: number;
  readonly straysRemoved: number;
  /** Items left to the next run because something failed; each was reported. */
  readonly errors: number;
  /** Whether the limit was reached, so that another run has work at once. */
  readonly more: boolean;
}

/** Runs the sweep. */
export interface Sweep {
  /** One bounded run; nothing is lost when it is stopped half-way. */
  run(options?: SweepOptions): Promise<SweepReport>;
}

const DEFAULT_LIMIT = 500;

/** Failures in a row after which the store or the catalog must be taken for dead. */
const MAX_ERRORS_IN_A_ROW = 5;

const TWO_DAYS_MS = 2 * 24 * 3_600_000;

type Counts = { -readonly [K in keyof SweepReport]: SweepReport[K] };

/** Creates the sweep. */
export function createSweep(deps: SweepDeps): Sweep {
  const { strayAgeMs = TWO_DAYS_MS, reportFailure = () => {} } = deps;
  const shared = { ...deps, leaseMs: deps.leaseMs ?? 30_000 };

  async function run(options: SweepOptions = {}): Promise<SweepReport> {
    const { limit = DEFAULT_LIMIT, dryRun = false } = options;
    const signal = options.signal ?? new AbortController().signal;
    const counts = emptyCounts();
    const guard = createGuard(counts, signal, reportFailure);
    const stuck = await deps.catalog.listStuck(limit);
    const dead = await deps.sessions.listDead(limit);
    counts.stuck = stuck.length;
    counts.deadSessions = dead.length;
    counts.more = stuck.length === limit || dead.length === limit;
    if (dryRun) return counts;

    for (const contentHash of stuck) {
      await guard({ contentHash }, async () => {
        const outcome = await sweepContent(shared, contentHash, signal);
        if (outcome === "ready") counts.ready++;
        if (outcome === "failed") counts.failed++;
      });
    }
    for (const sessionId of dead) {
      await guard({ sessionId }, async () => {
        if (await sweepSession(shared, sessionId, signal)) counts.sessionsRemoved++;
      });
    }
    await guard({}, async () => {
      const olderThan = new Date(deps.now().getTime() - strayAgeMs);
      counts.straysRemoved = await sweepStrays(shared, { olderThan, limit: limit * 20, signal });
    });
    return counts;
  }
  return { run };
}

/** Runs each piece of work by itself: one bad row must not stop the others. */
function createGuard(counts: Counts, signal: AbortSignal, reportFailure: FailureReporter) {
  let inARow = 0;
  return async (
    about: Omit<Parameters<FailureReporter>[1], "error">,
    work: () => Promise<void>,
  ): Promise<void> => {
    if (signal.aborted || inARow >= MAX_ERRORS_IN_A_ROW) {
      counts.more = true;
      return;
    }
    try {
      await work();
      inARow = 0;
    } catch (error) {
      inARow++;
      counts.errors++;
      reportFailure("sweep", { error, ...about });
    }
  };
}

function emptyCounts(): Counts {
  return {
    stuck: 0,
    deadSessions: 0,
    ready: 0,
    failed: 0,
    sessionsRemoved: 0,
    straysRemoved: 0,
    errors: 0,
    more: false,
  };
}
