/**
 * A render as a list of steps: plan → decode and resample → orient → compose → encode → profile.
 *
 * Decoding and resampling are one step: rows flow from the decoder into the filter as they come.
 * The header has been probed and checked against the budgets before ({@linkcode RenderRequest.facts}):
 * that one parser decides the size, and a decoder that disagrees with it fails closed.
 *
 * @module
 */

import type { ImageFacts, ImageFormat } from "../core/image_facts.ts";
import { AppError } from "../errors.ts";
import { createBoxShrink } from "./box_shrink.ts";
import { embedProfile, extractProfile } from "./containers/profile_carrier.ts";
import { orientImage } from "./orient.ts";
import { releaseBytes } from "./release_bytes.ts";
import {
  buildRenderPlan,
  type DecodePlan,
  type DecoderTraits,
  keepsAlpha,
  type RenderPlan,
} from "./render_plan.ts";
import { OUTPUT_MEDIA_TYPES, type OutputFormat, type RenderSpec } from "./render_spec.ts";
import { createResampler } from "./resample.ts";
import { flattenOnWhite, padToCanvas, type RgbaImage } from "./rgba_image.ts";
import type { RasterInfo, StripSink } from "./strip.ts";

/** Turns a file into strips of rows, in stored orientation. */
export interface ImageDecoder {
  /** The formats it reads. */
  readonly formats: readonly ImageFormat[];
  readonly traits: DecoderTraits;
  /**
   * Decodes at `plan.scale` into a raster of `plan.raster` and delivers the rows of `plan.region`,
   * top to bottom, until the sink needs no more.
   *
   * @throws {AppError} `image_undecodable`, `image_truncated`, `unsupported_image`.
   */
  decode(
    bytes: Uint8Array,
    facts: ImageFacts,
    job: { readonly plan: DecodePlan; readonly sink: StripSink },
  ): Promise<void> | void;
}

/** Turns pixels into a file without any metadata. */
export interface ImageEncoder {
  readonly format: OutputFormat;
  /** Whether it takes opaque pictures in YCbCr, which saves converting there and back. */
  readonly takesYcc?: boolean;
  /** @param options.quality 10–100; formats without loss ignore it. */
  encode(
    image: RgbaImage,
    options: { readonly quality: number },
  ): Promise<Uint8Array<ArrayBuffer>> | Uint8Array<ArrayBuffer>;
}

/** What a pipeline is made of. Lookups may load a codec on first use. */
export interface PipelineParts {
  findDecoder(facts: ImageFacts): Promise<ImageDecoder> | ImageDecoder;
  findEncoder(format: OutputFormat): Promise<ImageEncoder> | ImageEncoder;
}

/** One render. */
export interface RenderRequest {
  readonly source: Uint8Array;
  /** What the header probe says of `source`; budgets have been checked on it. */
  readonly facts: ImageFacts;
  readonly spec: RenderSpec;
  /** Most bytes the plan may estimate. */
  readonly memoryBudgetBytes: number;
  /** Checked between steps. */
  readonly signal?: AbortSignal | undefined;
}

/** A finished variant. */
export interface RenderedImage {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly mediaType: string;
  readonly width: number;
  readonly height: number;
  /** Milliseconds spent in each stage. */
  readonly stages: Readonly<Record<string, number>>;
}

/**
 * Renders one variant.
 *
 * @throws {AppError} `image_budget_exceeded`, `image_undecodable`, `image_truncated`,
 * `unsupported_image`; and the signal's reason once it is aborted.
 */
export async function renderImage(
  request: RenderRequest,
  parts: PipelineParts,
): Promise<RenderedImage> {
  const { source, facts, spec } = request;
  const clock = new StageClock(request.signal);
  const decoder = await parts.findDecoder(facts);
  const encoder = await parts.findEncoder(spec.format);
  clock.mark("load");
  const plan = buildRenderPlan(facts, spec, {
    sourceBytes: source.length,
    decoder: decoder.traits,
  });
  checkMemory(plan, request.memoryBudgetBytes);
  const profile = await extractProfile(source, facts, spec.format);
  clock.mark("plan");
  const stored = await decodeAndResample(request, plan, { decoder, encoder });
  clock.mark("decode");
  const image = compose(orientImage(stored, plan.orientation), plan, spec.format);
  clock.mark("compose");
  const encoded = await encoder.encode(image, { quality: spec.quality });
  const { width, height } = image;
  releaseBytes(image.pixels);
  clock.mark("encode");
  const shape = { format: spec.format, width, height, alpha: !image.opaque };
  const bytes = profile === null ? encoded : embedProfile(encoded, profile, shape);
  clock.mark("profile");
  return { bytes, mediaType: OUTPUT_MEDIA_TYPES[spec.format], width, height, stages: clock.stages };
}

function checkMemory(plan: RenderPlan, budgetBytes: number): void {
  if (plan.estimatedBytes <= budgetBytes) return;
  throw new AppError(
    "image_budget_exceeded",
    `Rendering this image would take about ${Math.ceil(plan.estimatedBytes / 1e6)} MB; ` +
      `the limit is ${Math.floor(budgetBytes / 1e6)} MB`,
  );
}

async function decodeAndResample(
  { source, facts }: RenderRequest,
  plan: RenderPlan,
  { decoder, encoder }: { readonly decoder: ImageDecoder; readonly encoder: ImageEncoder },
): Promise<RgbaImage> {
  // Padding is transparent until it is laid on white, so a padded picture has to be RGB.
  const fills = plan.canvas.width * plan.canvas.height === plan.target.width * plan.target.height;
  const keepYcc = fills && encoder.takesYcc === true;
  const resampler = createResampler({ ...plan, keepYcc });
  const shrinking = plan.boxFactors.toReversed()
    .reduce<StripSink>((next, factor) => createBoxShrink(factor, next), resampler);
  const sink = checkRaster(plan.decode, shrinking);
  try {
    await decoder.decode(source, facts, { plan: plan.decode, sink });
  } catch (cause) {
    // Whatever breaks a decoder, the file did it: traps and range errors are no fault of ours.
    if (cause instanceof AppError) throw cause;
    throw new AppError("image_undecodable", "The image cannot be decoded", { cause });
  }
  const image = resampler.result();
  if (image === null) {
    throw new AppError("image_truncated", "The image ends before its last row");
  }
  return image;
}

/** Lets only a region of the planned size through, row after row. */
function checkRaster({ region }: DecodePlan, next: StripSink): StripSink {
  let rows = 0;
  return {
    begin(info: RasterInfo) {
      if (info.width !== region.width || info.height !== region.height) {
        throw new AppError("image_undecodable", "The image's size differs from its header's");
      }
      next.begin(info);
    },
    write(strip) {
      if (strip.y !== rows || strip.y + strip.rows > region.height) {
        throw new AppError("image_undecodable", "The image's rows do not match its header");
      }
      rows += strip.rows;
      return next.write(strip);
    },
  };
}

function compose(upright: RgbaImage, plan: RenderPlan, format: OutputFormat): RgbaImage {
  const padded = padToCanvas(upright, plan.canvas);
  return keepsAlpha(format) ? padded : flattenOnWhite(padded);
}

/** Times the stages, and gives up between them when asked to. */
class StageClock {
  readonly stages: Record<string, number> = {};
  readonly #signal: AbortSignal | undefined;
  #last = performance.now();

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  mark(stage: string): void {
    this.#signal?.throwIfAborted();
    const now = performance.now();
    this.stages[stage] = now - this.#last;
    this.#last = now;
  }
}
