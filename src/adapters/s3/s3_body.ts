import { AppError } from "../../errors.ts";

/**
 * Passes on exactly `sizeBytes` bytes or fails. A connection that ends early, on which a store or a
 * proxy may stay silent, must never look like the end of the object.
 */
export function limitBody(
  source: ReadableStream<Uint8Array>,
  options: {
    readonly sizeBytes: number;
    readonly idleTimeoutMs: number;
    readonly signal?: AbortSignal | undefined;
  },
): ReadableStream<Uint8Array> {
  const { sizeBytes, idleTimeoutMs, signal } = options;
  const reader = source.getReader();
  let remaining = sizeBytes;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await readInTime(reader, idleTimeoutMs);
        if (done) {
          if (remaining > 0) throw wrongLength();
          controller.close();
          return;
        }
        remaining -= value.byteLength;
        if (remaining < 0) throw wrongLength();
        controller.enqueue(value);
      } catch (cause) {
        // Frees the connection; the reason is reported below.
        await reader.cancel(cause).catch(() => {});
        controller.error(signal?.aborted ? signal.reason : toBodyError(cause));
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}

async function readInTime(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  timeoutMs: number,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new AppError("storage_timeout", "The object store stopped sending")),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([reader.read(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function wrongLength(): AppError {
  return new AppError("storage_error", "The object store sent a body of the wrong length");
}

function toBodyError(cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  return new AppError("storage_error", "The object store broke off the body", { cause });
}
