/**
 * One place for a worker: starts it when needed, replaces it when it overruns, dies or holds much.
 *
 * @module
 */

import { AppError } from "../../errors.ts";
import type { RenderedImage } from "../../image/pipeline.ts";
import { parseFailure, type WorkerReply, type WorkerRequest } from "./render_message.ts";

/** The bounds of a slot. */
export interface SlotLimits {
  /** Wall-clock time of one render. */
  readonly timeLimitMs: number;
  /**
   * A worker is replaced after a render that was estimated to take more than this, or when its heap
   * holds more. Garbage of WebAssembly memories and large buffers is collected late; a thread that
   * ends gives everything back at once.
   */
  readonly retireAboveBytes: number;
  /** By how much workers give way to other threads: 0 (not at all) to 19. */
  readonly niceness: number;
}

interface Pending {
  readonly settle: (reply: WorkerReply) => void;
  readonly fail: (error: AppError) => void;
}

/** Runs one request at a time on a worker of its own. */
export class RenderSlot {
  readonly #limits: SlotLimits;
  #worker: Worker | null = null;
  #ready = false;
  #pending: Pending | null = null;
  /** Workers ended since the start: overrun, dead or heavy. */
  replaced = 0;

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  get started(): boolean {
    return this.#worker !== null;
  }

  /**
   * Renders one picture; its source is transferred to the worker.
   *
   * @throws {AppError} what the pipeline throws; `render_timeout`; `image_undecodable` when the
   * worker died over it; `internal_error` when no worker can be started.
   */
  async render(
    request: Extract<WorkerRequest, { kind: "render" }>,
    options: { readonly estimatedBytes: number },
  ): Promise<RenderedImage> {
    const reply = await this.#ask(request, [request.source.buffer]);
    if (reply.kind === "rendered" || reply.kind === "failed") {
      this.#retireIfAbove(Math.max(options.estimatedBytes, reply.heldBytes));
    }
    if (reply.kind === "rendered") return reply.image;
    if (reply.kind === "failed") throw parseFailure(reply.failure);
    throw new AppError("internal_error", "The image could not be rendered");
  }

  /** Starts the worker and lets it load and compile what renders need. */
  async warm(): Promise<void> {
    await this.#ask({ kind: "warm" }, []);
  }

  /** Ends the worker; a request under way fails. */
  close(): void {
    this.#end(new AppError("shutting_down", "The service is shutting down"));
  }

  #ask(request: WorkerRequest, transfer: Transferable[]): Promise<WorkerReply> {
    const worker = this.#worker ?? this.#start();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.replaced++;
        this.#end(new AppError("render_timeout", "Rendering the image takes too long"));
      }, this.#limits.timeLimitMs);
      this.#pending = {
        settle: (reply) => {
          clearTimeout(timer);
          this.#pending = null;
          resolve(reply);
        },
        fail: (error) => {
          clearTimeout(timer);
          this.#pending = null;
          reject(error);
        },
      };
      worker.postMessage(request, transfer);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./render_worker.ts", import.meta.url), { type: "module" });
    this.#worker = worker;
    this.#ready = false;
    const { niceness } = this.#limits;
    if (niceness > 0) worker.postMessage({ kind: "give_way", niceness } satisfies WorkerRequest);
    worker.onmessage = ({ data }: MessageEvent<WorkerReply>) => {
      if (data.kind === "ready") this.#ready = true;
      else this.#pending?.settle(data);
    };
    worker.onerror = (event) => {
      // Without this the error would end the whole process.
      event.preventDefault();
      if (worker !== this.#worker) return;
      this.replaced++;
      this.#end(this.#describeDeath(event.message));
    };
    return worker;
  }

  /** A worker that dies while it starts is our fault; one that dies over a picture is not. */
  #describeDeath(cause: string): AppError {
    return this.#ready
      ? new AppError("image_undecodable", "The image cannot be decoded", { cause })
      : new AppError("internal_error", "The renderer could not be started", { cause });
  }

  #end(error: AppError): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#pending?.fail(error);
  }

  #retireIfAbove(bytes: number): void {
    if (bytes <= this.#limits.retireAboveBytes || this.#worker === null) return;
    this.replaced++;
    // An idle worker that ends itself is gone at once; a terminated one may keep its memory for
    // two seconds more.
    this.#worker.postMessage({ kind: "close" } satisfies WorkerRequest);
    // The next render does not wait for it.
    this.#start();
  }
}
