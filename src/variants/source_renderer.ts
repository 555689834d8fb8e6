import { Budget } from "../core/budget.ts";
import type { VariantSpec } from "../core/variant_spec.ts";
import { AppError } from "../errors.ts";
import type {
  AssetRecord,
  DeliveryObserver,
  ImageRenderer,
  MissingReporter,
  OriginalReader,
  RenderedImage,
} from "./ports.ts";
import { renderQueueFull } from "./render_once.ts";
import { checkReadable, mismatch, missing } from "./servable.ts";
import { buildRenderSpec } from "./variant_key.ts";

/** Default of `maxSourceBytes`. */
const MAX_SOURCE_BYTES = 64 * 2 ** 20;

/** What rendering from stored originals needs. */
export interface SourceRendererOptions {
  readonly reader: OriginalReader;
  readonly renderer: ImageRenderer;
  readonly missing: MissingReporter;
  readonly observer?: DeliveryObserver;
  /** Milliseconds from any fixed point, with fractions. */
  readonly nowMs: () => number;
  /** Largest original that is rendered. Default 64 MiB. */
  readonly maxSourceBytes?: number;
  /** Bytes of originals held for rendering at once. Default 96 MiB. */
  readonly maxSourceBytesInFlight?: number;
  /** Renders that may wait for those bytes. Default 256. */
  readonly maxWaitingRenders?: number;
}

/**
 * Lets an asset pass whose bytes can be read now and may be an image within the budget.
 *
 * @throws {AppError} `asset_archived`, `asset_missing`, `not_an_image`, `image_budget_exceeded`.
 */
export function checkRenderable(record: AssetRecord, maxSourceBytes = MAX_SOURCE_BYTES): void {
  checkReadable(record);
  if (record.mediaType !== null && !record.mediaType.startsWith("image/")) {
    throw new AppError("not_an_image", "Only images have variants");
  }
  if (record.sizeBytes > maxSourceBytes) {
    throw new AppError("image_budget_exceeded", "The original is too large to be rendered");
  }
}

/**
 * Creates the function that reads an original and renders a variant of it.
 *
 * Sources are held within a budget of bytes, since the renderer bounds pixels only and a queue of
 * large files would be memory nobody counted.
 */
export function createSourceRenderer(
  options: SourceRendererOptions,
): (record: AssetRecord, spec: VariantSpec, signal: AbortSignal) => Promise<RenderedImage> {
  const { renderer, observer, nowMs } = options;
  const sources = new Budget({
    capacity: options.maxSourceBytesInFlight ?? 96 * 2 ** 20,
    maxWaiting: options.maxWaitingRenders ?? 256,
    refuse: renderQueueFull,
  });
  return async function renderSource(record, spec, signal) {
    const startedMs = nowMs();
    using _room = await sources.reserve(record.sizeBytes, signal);
    const enteredMs = nowMs();
    const source = await readSource(record, options, signal);
    const readMs = nowMs();
    const rendered = await renderer.render(source, buildRenderSpec(spec, record), { signal });
    const stages = { line: enteredMs - startedMs, read: readMs - enteredMs, ...rendered.stages };
    observer?.rendered(nowMs() - startedMs, stages);
    return { ...rendered, stages };
  };
}

/**
 * Reads a whole original.
 *
 * The length must be the catalog's to the byte: a store that ends early must not give a picture
 * that is grey from the middle on, and cached for a year.
 *
 * @throws {AppError} `asset_missing` (and reports it), `object_mismatch`, and what the reader throws.
 */
async function readSource(
  record: AssetRecord,
  options: Pick<SourceRendererOptions, "reader" | "missing">,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const original = await options.reader.open(record.hash, { signal });
  if (!original) {
    await options.missing.reportMissing(record.hash);
    throw missing();
  }
  const source = new Uint8Array(record.sizeBytes);
  let filledBytes = 0;
  for await (const chunk of original.body) {
    if (filledBytes + chunk.byteLength > source.byteLength) throw mismatch();
    source.set(chunk, filledBytes);
    filledBytes += chunk.byteLength;
  }
  if (filledBytes !== source.byteLength) throw mismatch();
  return source;
}
