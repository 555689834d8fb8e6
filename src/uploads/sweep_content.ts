import type { ContentHash } from "../core/content_hash.ts";
import { formatRawKey } from "../core/object_keys.ts";
import { hashObject } from "./adopt_staged.ts";
import { startHeartbeat } from "./heartbeat.ts";
import type { Attempt, FactReader } from "./ports.ts";
import { createStoredSource } from "./stored_source.ts";
import type { StuckContent, SweepCatalog, SweepObjects } from "./sweep_ports.ts";

/** What became of a stuck row. `left`: somebody else is at work on it again. */
export type SweptContent = "ready" | "failed" | "left";

/** What the sweep of content rows needs. */
export interface SweepContentDeps {
  readonly catalog: SweepCatalog;
  readonly objects: SweepObjects;
  readonly facts: FactReader;
  readonly newId: () => string;
  readonly leaseMs: number;
}

/**
 * Brings one stuck row to READY, when its object is right, or to FAILED. A failure to ask the store
 * is thrown and changes nothing: the row stays for the next run.
 */
export async function sweepContent(
  deps: SweepContentDeps,
  contentHash: ContentHash,
  stop: AbortSignal,
): Promise<SweptContent> {
  const attempt: Attempt = { contentHash, attemptId: deps.newId() };
  const stuck = await deps.catalog.takeOver(attempt, deps.leaseMs);
  if (stuck === null) return "left";
  using heart = startHeartbeat(() => deps.catalog.renew(attempt, deps.leaseMs), {
    leaseMs: deps.leaseMs,
    lossDetail: "An upload of the same bytes has taken over",
  });
  const signal = AbortSignal.any([heart.signal, stop]);
  try {
    const problem = await findProblem(deps, stuck, signal);
    if (problem !== null) return await fail(deps, attempt, problem);
    return await finish(deps, { attempt, stuck, signal });
  } catch (error) {
    if (heart.lost) return "left";
    throw error;
  }
}

/** What is wrong with the object, or null when it has the row's size and hash. */
async function findProblem(
  deps: SweepContentDeps,
  stuck: StuckContent,
  signal: AbortSignal,
): Promise<string | null> {
  const key = formatRawKey(stuck.contentHash);
  const head = await deps.objects.head(key, { signal });
  if (head === null) return "no object";
  if (head.sizeBytes !== stuck.sizeBytes) return "object of another size";
  // A VERIFIED row's bytes were counted by us and its size agreed with the store's after the write.
  if (stuck.state === "VERIFIED" || head.sha256 === stuck.contentHash) return null;
  const { sha256Hex } = await hashObject(deps, { key, signal });
  return sha256Hex === stuck.contentHash ? null : "object with other bytes";
}

async function finish(
  deps: SweepContentDeps,
  work: {
    readonly attempt: Attempt;
    readonly stuck: StuckContent;
    readonly signal: AbortSignal;
  },
): Promise<SweptContent> {
  const { attempt, stuck, signal } = work;
  if (stuck.state === "UPLOADING" && !await deps.catalog.verify(attempt, deps.leaseMs)) {
    return "left";
  }
  const key = formatRawKey(stuck.contentHash);
  const source = createStoredSource(deps.objects, { key, sizeBytes: stuck.sizeBytes, signal });
  // What the client claimed of the type died with its request.
  const facts = await deps.facts.readFacts(source, null);
  const outcome = await deps.catalog.finish(attempt, facts);
  if (outcome === "unreferenced") return await fail(deps, attempt, "nobody refers to it");
  return outcome === "ready" ? "ready" : "left";
}

async function fail(
  deps: SweepContentDeps,
  attempt: Attempt,
  problem: string,
): Promise<SweptContent> {
  return await deps.catalog.fail(attempt, `sweep: ${problem}`) ? "failed" : "left";
}
