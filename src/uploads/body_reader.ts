import { AppError } from "../errors.ts";

/** Bounds on a body. Sizes in bytes, durations in milliseconds. */
export interface BodyReaderOptions {
  readonly maxBytes: number;
  /** The length that the client declared. */
  readonly contentLength?: number | undefined;
  /** Longest silence of the client. */
  readonly idleTimeoutMs: number;
  /**
   * Bytes that must arrive during each `idleTimeoutMs` of waiting for the client, so that one byte
   * now and then does not hold a place for hours (Slowloris).
   */
  readonly minWindowBytes: number;
  /** The client is gone. */
  readonly signal: AbortSignal;
}

/**
 * Reads an untrusted body with its bounds: cap, declared length, silence, rate. Pulls one chunk at
 * a time, so that a slow store slows the client down instead of filling memory.
 */
export class BodyReader implements Disposable {
  /** Bytes read so far. */
  receivedBytes = 0;

  readonly #options: BodyReaderOptions;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #watchdog: ReturnType<typeof setInterval>;
  readonly #onAbort = () => this.#stop(toAbortError(this.#options.signal.reason));
  #ended = false;
  #failure: AppError | null = null;
  #waitingSince: number | null = null;
  #waitedMs = 0;
  #windowBytes = 0;

  constructor(body: ReadableStream<Uint8Array>, options: BodyReaderOptions) {
    this.#options = options;
    this.#reader = body.getReader();
    // One timer for the whole body instead of one per chunk.
    this.#watchdog = setInterval(() => this.#checkPace(), Math.max(10, options.idleTimeoutMs / 4));
    options.signal.addEventListener("abort", this.#onAbort, { once: true });
    if (options.signal.aborted) this.#onAbort();
    else if ((options.contentLength ?? 0) > options.maxBytes) {
      this.#stop(tooLarge(options.maxBytes));
    }
  }

  /** Throws what `read` would throw now, before anything is waited for. */
  assertOpen(): void {
    if (this.#failure) throw this.#failure;
  }

  /**
   * The next chunk, or null at the proper end of the body.
   *
   * @throws {AppError} `body_too_large`, `incomplete_body`, `invalid_request` (longer than
   * declared), `body_timeout`, `client_closed_request`. The body is cancelled then.
   */
  async read(): Promise<Uint8Array | null> {
    if (this.#failure) throw this.#failure;
    this.#waitingSince = performance.now();
    let result: ReadableStreamReadResult<Uint8Array>;
    try {
      result = await this.#reader.read();
    } catch (cause) {
      throw this.#stop(this.#failure ?? incomplete(cause));
    } finally {
      this.#waitedMs += performance.now() - this.#waitingSince;
      this.#waitingSince = null;
    }
    if (this.#failure) throw this.#failure;
    return result.done ? this.#end() : this.#take(result.value);
  }

  /** Ends the reading; a body that has not been read to its end is cancelled. */
  [Symbol.dispose](): void {
    clearInterval(this.#watchdog);
    this.#options.signal.removeEventListener("abort", this.#onAbort);
    if (!this.#ended) this.#stop(this.#failure ?? incomplete(undefined));
  }

  #take(chunk: Uint8Array): Uint8Array {
    this.receivedBytes += chunk.byteLength;
    this.#windowBytes += chunk.byteLength;
    const { maxBytes, contentLength } = this.#options;
    if (this.receivedBytes > maxBytes) throw this.#stop(tooLarge(maxBytes));
    if (contentLength !== undefined && this.receivedBytes > contentLength) {
      throw this.#stop(
        new AppError("invalid_request", "The body is longer than its Content-Length"),
      );
    }
    return chunk;
  }

  #end(): null {
    this.#ended = true;
    const { contentLength } = this.#options;
    if (contentLength !== undefined && this.receivedBytes < contentLength) {
      throw this.#failure = new AppError(
        "incomplete_body",
        `The body ended after ${this.receivedBytes} of ${contentLength} bytes`,
      );
    }
    return null;
  }

  #stop(failure: AppError): AppError {
    this.#failure ??= failure;
    if (!this.#ended) {
      this.#ended = true;
      // Settles a pending read, and tells the transport to stop receiving.
      this.#reader.cancel(this.#failure).catch(() => {});
    }
    return this.#failure;
  }

  #checkPace(): void {
    if (this.#waitingSince === null || this.#ended) return;
    const silentMs = performance.now() - this.#waitingSince;
    const { idleTimeoutMs, minWindowBytes } = this.#options;
    if (silentMs >= idleTimeoutMs) return void this.#stop(tooSlow());
    if (this.#waitedMs + silentMs < idleTimeoutMs) return;
    if (this.#windowBytes < minWindowBytes) return void this.#stop(tooSlow());
    this.#waitedMs = -silentMs;
    this.#windowBytes = 0;
  }
}

function tooLarge(maxBytes: number): AppError {
  return new AppError("body_too_large", `The body is larger than the limit of ${maxBytes} bytes`, {
    extensions: { limitBytes: maxBytes },
  });
}

function tooSlow(): AppError {
  return new AppError("body_timeout", "The body arrives too slowly");
}

function incomplete(cause: unknown): AppError {
  return new AppError("incomplete_body", "The body ended before it was complete", { cause });
}

/** What an upload fails with when its signal aborts: the reason, if it is one of ours. */
export function toAbortError(reason: unknown): AppError {
  if (reason instanceof AppError) return reason;
  return new AppError("client_closed_request", "The client closed the request", { cause: reason });
}
