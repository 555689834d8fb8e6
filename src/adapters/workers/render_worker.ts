/**
 * The worker's entry: renders one request at a time.
 *
 * @module
 */

import { renderImage } from "../../image/pipeline.ts";
import { releaseBytes } from "../../image/release_bytes.ts";
import { createPipelineParts } from "./codec_registry.ts";
import { lowerPriority } from "./lower_priority.ts";
import { formatFailure, type WorkerReply, type WorkerRequest } from "./render_message.ts";
import { warmPipeline } from "./warm_pipeline.ts";

/** The part of the worker's global scope that is used; its types are not in the default library. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<WorkerRequest>) => void) | null;
  close(): void;
  postMessage(reply: WorkerReply, transfer: Transferable[]): void;
}

const scope = globalThis as unknown as WorkerScope;
const parts = createPipelineParts();

scope.onmessage = async ({ data }) => {
  if (data.kind === "close") {
    scope.close();
    return;
  }
  if (data.kind === "give_way") {
    lowerPriority(data.niceness);
    return;
  }
  if (data.kind === "warm") {
    await warmPipeline(parts);
    scope.postMessage({ kind: "warmed" }, []);
    return;
  }
  try {
    const image = await renderImage(data, parts).finally(() => releaseBytes(data.source));
    scope.postMessage({ kind: "rendered", image, heldBytes: heldBytes() }, [image.bytes.buffer]);
  } catch (error) {
    scope.postMessage(
      { kind: "failed", failure: formatFailure(error), heldBytes: heldBytes() },
      [],
    );
  }
};

scope.postMessage({ kind: "ready" }, []);

/** What this worker's heap holds on to, WebAssembly memories included. */
function heldBytes(): number {
  const { heapTotal, external } = Deno.memoryUsage();
  return heapTotal + external;
}
