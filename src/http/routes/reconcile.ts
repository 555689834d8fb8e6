import { type Context, Hono } from "hono";
import { AppError } from "../../errors.ts";
import type { Finding, ReconcileRecords, RunRecord } from "../../reconcile/ports.ts";
import type { Reconciler, RunRequest } from "../../reconcile/reconciler.ts";
import { calculateDriftRatio, countMismatches } from "../../core/drift_ratio.ts";
import { parseShardPrefix } from "../../reconcile/shard_prefix.ts";
import type { HttpEnv } from "../http_env.ts";
import { type Authenticator, requireScope } from "../middleware/authentication.ts";
import { readJsonObject } from "../read_json.ts";

/** What the routes of reconciliation need. */
export interface ReconcileRoutesOptions {
  readonly reconciler: Pick<Reconciler, "start">;
  readonly records: Pick<ReconcileRecords, "find" | "listFindings">;
  readonly authenticator: Authenticator;
  /** Is told of runs that were started here and failed. */
  readonly reportFailure: (error: unknown) => void;
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const MAX_BODY_BYTES = 4096;
/** Findings in the answer about one run. */
const MAX_FINDINGS = 1_000;

/**
 * `POST /v1/admin/reconcile` with `{"dryRun":…,"repair":…,"shard":"raw/ab/"}` (all optional) begins
 * a run: 202 with its id. `GET /v1/admin/reconcile/{run}` tells how it goes.
 */
export function reconcileRoutes(options: ReconcileRoutesOptions): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  const mayAdminister = requireScope("admin", options.authenticator);
  routes.post("/v1/admin/reconcile", mayAdminister, (c) => startRun(c, options));
  routes.get("/v1/admin/reconcile/:run", mayAdminister, (c) => showRun(c, options));
  return routes;
}

async function startRun(c: Context<HttpEnv>, options: ReconcileRoutesOptions): Promise<Response> {
  const request = await readRequest(c);
  const { run, done } = await options.reconciler.start(request);
  done.catch(options.reportFailure);
  c.header("cache-control", "no-store");
  c.header("location", `/v1/admin/reconcile/${run.id}`);
  return c.json({ runId: run.id, resumedAtShard: run.nextShard, ...formatScope(run) }, 202);
}

async function readRequest(c: Context<HttpEnv>): Promise<RunRequest> {
  const body = await readJsonObject(c.req.raw, { maxBytes: MAX_BODY_BYTES, optional: true });
  const { dryRun = false, repair = false, shard, ...unknown } = body;
  const number = typeof shard === "string" ? parseShardPrefix(shard) : undefined;
  const isShard = shard === undefined || typeof number === "number";
  const areFlags = typeof dryRun === "boolean" && typeof repair === "boolean";
  if (!isShard || !areFlags || Object.keys(unknown).length > 0) {
    throw new AppError(
      "invalid_request",
      'A run takes "dryRun" and "repair" (true or false) and "shard" ("raw/00/" to "raw/ff/")',
    );
  }
  const requestedBy = c.get("principal").keyId;
  return { dryRun, repair, shard: number ?? undefined, requestedBy };
}

async function showRun(c: Context<HttpEnv>, options: ReconcileRoutesOptions): Promise<Response> {
  const id = c.req.param("run") ?? "";
  if (!UUID.test(id)) throw new AppError("invalid_id", "A run id is a UUID in lower case");
  const run = await options.records.find(id);
  if (run === null) throw new AppError("run_not_found", "There is no such run");
  const findings = await options.records.listFindings(id, MAX_FINDINGS);
  c.header("cache-control", "no-store");
  return c.json(formatRun(run, findings));
}

/** A run as it is shown, on the command line too. */
function formatRun(run: RunRecord, findings: readonly Finding[]): Record<string, unknown> {
  return {
    runId: run.id,
    status: run.status,
    ...formatScope(run),
    nextShard: run.nextShard,
    startedAt: run.startedAt,
    finishedAt: run.finishedAt,
    requestedBy: run.requestedBy,
    error: run.error === null ? null : "The run failed; the log says why",
    counts: run.counts,
    mismatchCount: run.counts && countMismatches(run.counts),
    driftRatio: run.counts && calculateDriftRatio(run.counts),
    findings,
  };
}

function formatScope({ dryRun, repair, firstShard, lastShard }: RunRecord) {
  return { dryRun, repair, firstShard, lastShard };
}
