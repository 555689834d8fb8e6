/**
 * Renders in worker threads, within budgets of time and memory.
 *
 * @module
 */

import {
  checkImageBudgets,
  DEFAULT_IMAGE_LIMITS,
  type ImageLimits,
} from "../../core/image_budgets.ts";
import { memorySource } from "../../core/image_header/byte_source.ts";
import { probeImage } from "../../core/image_header/probe_image.ts";
import type { ImageFacts } from "../../core/image_facts.ts";
import { AppError } from "../../errors.ts";
import type { RenderedImage } from "../../image/pipeline.ts";
import { buildRenderPlan, type RenderPlan } from "../../image/render_plan.ts";
import type { RenderSpec } from "../../image/render_spec.ts";
import type { ImageRenderer } from "../../variants/ports.ts";
import { Admission } from "./admission.ts";
import { findDecoderTraits } from "./decoder_traits.ts";
import { RenderSlot } from "./render_slot.ts";
import { returnFreedMemory } from "./tune_allocator.ts";

/** How large a pool is and what it may take. */
export interface RenderPoolOptions {
  /** Worker threads, at least 1. Default: one per core, at most 2: each costs about 60 MB. */
  readonly size?: number;
  /** Wall-clock time of one render. Default 15 s. */
  readonly timeLimitMs?: number;
  /**
   * Most estimated bytes of all renders under way, and of a single one. Default 288 MiB, which with
   * two workers keeps the process under 512 MB and renders an AVIF of 12 megapixels.
   */
  readonly memoryBudgetBytes?: number;
  /** Most renders waiting. Default 64. */
  readonly queueLimit?: number;
  /** Most source bytes held by those waiting. Default 96 MiB. */
  readonly queueBudgetBytes?: number;
  /** Longest wait in the queue. Default: `timeLimitMs`. */
  readonly queueWaitMs?: number;
  /** Sent to clients that are turned away. Default 2. */
  readonly retryAfterSeconds?: number;
  /** A worker is replaced after a render above this, or when it holds more. Default 80 MiB. */
  readonly retireAboveBytes?: number;
  /**
   * By how much renders give way to the threads that answer requests, where the system can: 0 to 19.
   * Default 0, not at all.
   */
  readonly niceness?: number;
  readonly limits?: ImageLimits;
}

/** What a pool is doing, for metrics. */
export interface RenderPoolStats {
  readonly queued: number;
  readonly running: number;
  readonly inflightBytes: number;
  readonly inflightMegapixels: number;
  /** Workers that are up. */
  readonly workers: number;
  /** Workers replaced since the start. */
  readonly replaced: number;
}

/** A renderer with a life of its own. */
export interface RenderPool extends ImageRenderer {
  stats(): RenderPoolStats;
  /** Starts all workers and warms them; failures show in the first render instead. */
  warm(): Promise<void>;
  /** Ends all workers; renders under way and to come fail with `shutting_down`. */
  close(): void;
}

/** Creates a pool. Workers start when the first render, or {@linkcode RenderPool.warm}, needs them. */
export function createRenderPool(options: RenderPoolOptions = {}): RenderPool {
  returnFreedMemory();
  return new WorkerRenderPool(options);
}

const MEBIBYTE = 2 ** 20;
/** Small enough that a pool of any size can warm all workers at once. */
const WARM_ESTIMATE_BYTES = 8 * MEBIBYTE;

class WorkerRenderPool implements RenderPool {
  readonly #limits: ImageLimits;
  readonly #memoryBudgetBytes: number;
  readonly #admission: Admission;
  readonly #slots: RenderSlot[];
  readonly #idle: RenderSlot[];
  #megapixels = 0;
  #closed = false;

  constructor(options: RenderPoolOptions) {
    const size = options.size ?? Math.min(2, navigator.hardwareConcurrency);
    const timeLimitMs = options.timeLimitMs ?? 15_000;
    this.#limits = options.limits ?? DEFAULT_IMAGE_LIMITS;
    this.#memoryBudgetBytes = options.memoryBudgetBytes ?? 288 * MEBIBYTE;
    this.#admission = new Admission({
      slots: size,
      budgetBytes: this.#memoryBudgetBytes,
      queueLimit: options.queueLimit ?? 64,
      queueBudgetBytes: options.queueBudgetBytes ?? 96 * MEBIBYTE,
      queueWaitMs: options.queueWaitMs ?? timeLimitMs,
      retryAfterSeconds: options.retryAfterSeconds ?? 2,
    });
    const { retireAboveBytes = 80 * MEBIBYTE, niceness = 0 } = options;
    this.#slots = Array.from(
      { length: size },
      () => new RenderSlot({ timeLimitMs, retireAboveBytes, niceness }),
    );
    this.#idle = [...this.#slots];
  }

  async render(
    source: Uint8Array<ArrayBuffer>,
    spec: RenderSpec,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<RenderedImage> {
    const startedAt = performance.now();
    const facts = await this.#probe(source);
    const plan = buildRenderPlan(facts, spec, {
      sourceBytes: source.length,
      decoder: findDecoderTraits(facts.format),
    });
    if (plan.estimatedBytes > this.#memoryBudgetBytes) {
      throw new AppError("image_budget_exceeded", "Rendering the image would take too much memory");
    }
    const leave = await this.#admission.enter({
      estimatedBytes: plan.estimatedBytes,
      sourceBytes: source.length,
      signal,
    });
    const queue = performance.now() - startedAt;
    const rendering = this.#run({ source: ownBytes(source), facts, spec }, plan).finally(leave);
    const image = await abandonable(rendering, signal);
    return { ...image, stages: { queue, ...image.stages } };
  }

  async #probe(source: Uint8Array): Promise<ImageFacts> {
    const facts = await probeImage(memorySource(source));
    if (facts === null) throw new AppError("not_an_image", "The asset is not an image");
    checkImageBudgets(facts, this.#limits);
    return facts;
  }

  async #run(
    job: { source: Uint8Array<ArrayBuffer>; facts: ImageFacts; spec: RenderSpec },
    { megapixels, estimatedBytes }: RenderPlan,
  ): Promise<RenderedImage> {
    const slot = this.#takeSlot();
    this.#megapixels += megapixels;
    try {
      const memoryBudgetBytes = this.#memoryBudgetBytes;
      return await slot.render({ kind: "render", ...job, memoryBudgetBytes }, { estimatedBytes });
    } finally {
      this.#megapixels -= megapixels;
      this.#idle.push(slot);
    }
  }

  /** The last one used is the warmest. */
  #takeSlot(): RenderSlot {
    const slot = this.#idle.pop();
    if (slot === undefined || this.#closed) {
      throw new AppError("shutting_down", "The service is shutting down");
    }
    return slot;
  }

  stats(): RenderPoolStats {
    return {
      queued: this.#admission.queued,
      running: this.#admission.running,
      inflightBytes: this.#admission.runningBytes,
      inflightMegapixels: this.#megapixels,
      workers: this.#slots.filter((slot) => slot.started).length,
      replaced: this.#slots.reduce((sum, slot) => sum + slot.replaced, 0),
    };
  }

  async warm(): Promise<void> {
    await Promise.all(this.#slots.map(() => this.#warmOne()));
  }

  /** Warming takes its turn like a render does. */
  async #warmOne(): Promise<void> {
    try {
      const leave = await this.#admission.enter({
        estimatedBytes: WARM_ESTIMATE_BYTES,
        sourceBytes: 0,
        signal: new AbortController().signal,
      });
      try {
        const slot = this.#takeSlot();
        await slot.warm().finally(() => this.#idle.push(slot));
      } finally {
        leave();
      }
    } catch {
      // The first render starts a new worker and reports what is wrong with it.
    }
  }

  close(): void {
    this.#closed = true;
    for (const slot of this.#slots) slot.close();
  }
}

/** Bytes whose buffer holds nothing else, so that it can be given away. */
function ownBytes(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice();
}

/** Lets the caller go when it aborts; the render itself finishes, its worker stays usable. */
async function abandonable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    work.catch(() => {});
    throw signal.reason;
  }
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    work.catch(() => {});
    aborted.catch(() => {});
  }
}
