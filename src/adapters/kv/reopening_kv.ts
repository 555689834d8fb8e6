/**
 * A KV store that may be out of reach when the service starts, and come back while it runs.
 *
 * @module
 */

/** How a store is opened. */
export interface ReopeningKvOptions {
  readonly open: () => Promise<Deno.Kv>;
  /** Told of every failure to open. */
  readonly onFailure: (error: unknown) => void;
  /** Pause between tries. Milliseconds. Default 3 s. */
  readonly retryMs?: number;
}

/** A store that opens itself, again and again if need be. */
export interface ReopeningKv {
  /** Every operation fails at once while the store is not open. */
  readonly kv: Deno.Kv;
  /** Resolves when the first try to open has ended, whichever way. */
  readonly firstTry: Promise<void>;
  /** Closes the store, or gives up opening it. */
  close(): void;
}

/** Starts to open a store. */
export function createReopeningKv(options: ReopeningKvOptions): ReopeningKv {
  const { open, onFailure, retryMs = 3_000 } = options;
  let current: Deno.Kv | null = null;
  let closed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function tryToOpen(): Promise<void> {
    try {
      const opened = await open();
      if (closed) opened.close();
      else current = opened;
    } catch (error) {
      if (closed) return;
      onFailure(error);
      const pause = setTimeout(tryToOpen, retryMs);
      // Waiting for a cache is no reason for the process to stay alive.
      Deno.unrefTimer(pause);
      timer = pause;
    }
  }

  const kv = new Proxy({} as Deno.Kv, {
    get(_target, name) {
      if (current) {
        const member: unknown = Reflect.get(current, name);
        return typeof member === "function" ? member.bind(current) : member;
      }
      // Streams fail when they are read; everything else when it is called.
      if (name === "watch") return () => failedStream();
      return () => {
        throw new NotOpenError();
      };
    },
  });

  return {
    kv,
    firstTry: tryToOpen(),
    close() {
      closed = true;
      clearTimeout(timer);
      current?.close();
      current = null;
    },
  };
}

/** The store is not open at the moment. */
class NotOpenError extends Error {
  override readonly name = "NotOpenError";

  constructor() {
    super("The KV store is not open");
  }
}

function failedStream(): ReadableStream<never> {
  return new ReadableStream({
    start(controller) {
      controller.error(new NotOpenError());
    },
  });
}
