/**
 * Passes a stream on, and fails it when it does not give exactly `lengthBytes`.
 *
 * A reply whose length was announced must break off when its source does: a body that merely ended
 * early would be a whole one to every cache on the way.
 *
 * @param onEnd Called once when the stream has ended, failed or been given up.
 */
export function passExactLength(
  source: ReadableStream<Uint8Array>,
  lengthBytes: number,
  onEnd?: () => void,
): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  let leftBytes = lengthBytes;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        leftBytes -= value?.byteLength ?? 0;
        if (leftBytes < 0 || (done && leftBytes > 0)) {
          await reader.cancel().catch(() => {});
          throw new RangeError(
            `Cannot pass the stream on: expected ${lengthBytes} bytes, ${
              leftBytes < 0 ? "got more" : `${leftBytes} are missing`
            }`,
          );
        }
        if (value) controller.enqueue(value);
        if (!done) return;
        controller.close();
        onEnd?.();
      } catch (error) {
        onEnd?.();
        throw error;
      }
    },
    async cancel(reason) {
      onEnd?.();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
