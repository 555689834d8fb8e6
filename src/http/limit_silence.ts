import type { ClientConnection } from "./http_env.ts";

/**
 * Passes a body on to a client, and breaks it off when the client has not taken any of it for
 * `idleMs`: whoever never reads must not hold a file or a connection to the object store for ever.
 *
 * Deno's server has no time-outs for writing, and a write that is stuck does not notice that its
 * body has failed. So the connection is cut as well; it counts as busy while the body is passed on.
 */
export function limitSilence(
  source: ReadableStream<Uint8Array>,
  options: { readonly idleMs: number; readonly connection?: ClientConnection | undefined },
): ReadableStream<Uint8Array> {
  const { idleMs, connection } = options;
  const reader = source.getReader();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let held = false;

  function stopWaiting(): void {
    clearTimeout(timer);
    timer = undefined;
  }

  // Not before the first pull: a body that nobody wants is never cancelled either.
  function hold(): void {
    if (held) return;
    held = true;
    connection?.hold();
  }

  function release(): void {
    if (!held) return;
    held = false;
    connection?.release();
  }

  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      stopWaiting();
      hold();
      try {
        const { done, value } = await reader.read();
        if (done) {
          release();
          return controller.close();
        }
        controller.enqueue(value);
      } catch (error) {
        release();
        throw error;
      }
      timer = setTimeout(() => {
        const reason = new DOMException("The client stopped reading", "TimeoutError");
        controller.error(reason);
        reader.cancel(reason).catch(() => {});
        connection?.cut();
      }, idleMs);
    },
    async cancel(reason) {
      stopWaiting();
      release();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
