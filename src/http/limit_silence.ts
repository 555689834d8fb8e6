/**
 * Passes a body on to a client, and breaks it off when the client has not taken any of it for
 * `idleMs`: whoever never reads must not hold a file or a connection to the object store for ever.
 *
 * Deno's server has no time-outs for writing, and cannot be told to close a socket. What remains of
 * a client that is silent for good is that socket and the few buffers of its last writes.
 */
export function limitSilence(
  source: ReadableStream<Uint8Array>,
  options: { readonly idleMs: number },
): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  let timer: ReturnType<typeof setTimeout> | undefined;

  function stopWaiting(): void {
    clearTimeout(timer);
    timer = undefined;
  }

  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      stopWaiting();
      const { done, value } = await reader.read();
      if (done) return controller.close();
      controller.enqueue(value);
      timer = setTimeout(() => {
        const reason = new DOMException("The client stopped reading", "TimeoutError");
        controller.error(reason);
        reader.cancel(reason).catch(() => {});
      }, options.idleMs);
    },
    async cancel(reason) {
      stopWaiting();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
