import type { ContentHash } from "../core/content_hash.ts";
import type { PurgeLayer, PurgeLayerName, PurgeOutbox, PurgeTarget, PurgeTask } from "./ports.ts";

/** What became of one layer. */
export interface LayerReceipt {
  readonly layer: PurgeLayerName;
  /** `skipped`: the layer is not in use, or holds nothing of what is purged. */
  readonly status: "purged" | "failed" | "skipped";
  /** Entries removed; null when the layer does not tell. */
  readonly removed: number | null;
}

/** What a purge did and what it could not do. */
export interface PurgeReceipt {
  readonly tag: string;
  readonly contentHash: ContentHash | null;
  readonly layers: readonly LayerReceipt[];
  /** Whether nothing is left to do. */
  readonly complete: boolean;
  /** Whether what is left will be tried again until it is done. */
  readonly retried: boolean;
}

/** What the purge service is made of. */
export interface PurgeServiceOptions {
  readonly outbox: PurgeOutbox;
  /** In the order in which they are purged: what could refill the next one comes first. */
  readonly layers: readonly PurgeLayer[];
  /** Longest time for one layer. Default 5 s. */
  readonly layerTimeoutMs?: number;
  /** Is told of layers that failed, for logs. */
  readonly reportFailure?: (layer: PurgeLayerName, error: unknown) => void;
}

/** Removes what was made from assets, everywhere, and does not give up on it. */
export interface PurgeService {
  /** Purges now; what fails is tried again by {@linkcode PurgeService.runPending}. */
  purge(target: PurgeTarget, reason: string): Promise<PurgeReceipt>;
  /** Works off at once what a committed change has left in the outbox for an asset. */
  runFor(hash: ContentHash): Promise<PurgeReceipt[]>;
  /** Works off what is due; returns how many tasks were tried and how many of them are done. */
  runPending(
    options?: { readonly limit?: number; readonly signal?: AbortSignal },
  ): Promise<{ readonly tried: number; readonly done: number }>;
}

/** A task that its worker does not settle is due again after this. */
const LEASE_MS = 60_000;
/** Pause before the first retry; doubled with each further one. */
const RETRY_BASE_MS = 5_000;
/** Longest pause between retries. */
const RETRY_MAX_MS = 3_600_000;

/** Creates the purge service. */
export function createPurgeService(options: PurgeServiceOptions): PurgeService {
  const { outbox, layers, layerTimeoutMs = 5_000, reportFailure } = options;

  async function purgeLayer(
    name: PurgeLayerName,
    target: PurgeTarget,
    signal: AbortSignal | undefined,
  ): Promise<LayerReceipt> {
    const layer = layers.find((each) => each.name === name);
    // A cache that is not in use holds nothing; an object that nobody here can delete stays due.
    if (!layer && name === "object") return { layer: name, status: "failed", removed: null };
    if (!layer || (target.hash === null && !layer.takesTags)) {
      return { layer: name, status: "skipped", removed: 0 };
    }
    const timeout = AbortSignal.timeout(layerTimeoutMs);
    try {
      const limit = signal ? AbortSignal.any([signal, timeout]) : timeout;
      const removed = await raceAbort(layer.purge(target, limit), limit);
      return { layer: name, status: "purged", removed };
    } catch (error) {
      reportFailure?.(name, error);
      return { layer: name, status: "failed", removed: null };
    }
  }

  async function purgeLayers(
    task: Pick<PurgeTask, "target" | "layers">,
    signal?: AbortSignal,
  ): Promise<LayerReceipt[]> {
    const receipts: LayerReceipt[] = [];
    const known = layers.map(({ name }) => name).filter((name) => task.layers.includes(name));
    const others = task.layers.filter((name) => !known.includes(name));
    for (const name of [...known, ...others]) {
      receipts.push(await purgeLayer(name, task.target, signal));
    }
    return receipts;
  }

  async function work(task: PurgeTask, signal?: AbortSignal): Promise<PurgeReceipt> {
    const receipts = await purgeLayers(task, signal);
    const layersLeft = receipts.filter(({ status }) => status === "failed")
      .map(({ layer }) => layer);
    const retryInMs = Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** Math.min(task.attempts, 20));
    await outbox.settle(task.id, { layersLeft, retryInMs });
    return buildReceipt(task.target, receipts, { retried: layersLeft.length > 0 });
  }

  return {
    async purge(target, reason) {
      const names = layers.map(({ name }) => name).filter((name) => name !== "object");
      let task: PurgeTask;
      try {
        task = await outbox.add(target, { reason, layers: names, leaseMs: LEASE_MS });
      } catch (error) {
        // A catalog that is down is no reason to go on serving; but nobody will try again.
        reportFailure?.("object", error);
        const receipts = await purgeLayers({ target, layers: names });
        return buildReceipt(target, receipts, { retried: false });
      }
      return await work(task);
    },
    async runFor(hash) {
      const tasks = await outbox.claimFor(hash, LEASE_MS);
      const receipts: PurgeReceipt[] = [];
      for (const task of tasks) receipts.push(await work(task));
      return receipts;
    },
    async runPending({ limit = 100, signal } = {}) {
      const tasks = await outbox.claim({ limit, leaseMs: LEASE_MS });
      let tried = 0;
      let done = 0;
      for (const task of tasks) {
        // Tasks that are left come back when their lease ends.
        if (signal?.aborted) break;
        tried++;
        if ((await work(task, signal)).complete) done++;
      }
      return { tried, done };
    },
  };
}

function buildReceipt(
  target: PurgeTarget,
  layers: readonly LayerReceipt[],
  { retried }: { readonly retried: boolean },
): PurgeReceipt {
  const complete = layers.every(({ status }) => status !== "failed");
  return { tag: target.tag, contentHash: target.hash, layers, complete, retried };
}

/** Settles with the work, or rejects when the signal aborts first: a layer may ignore its signal. */
function raceAbort<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener("abort", onAbort));
}
