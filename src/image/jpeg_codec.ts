/**
 * JPEG behind the pipeline's ports.
 *
 * @module
 */

import type { ImageFacts } from "../core/image_facts.ts";
import { AppError, type ErrorCode } from "../errors.ts";
import type { InkMixer } from "./color/ink_mixer.ts";
import { hasInkProfile, loadInkMixer } from "./color/load_ink_mixer.ts";
import { decodeJpeg, parseJpegHeader } from "./jpeg/decode_jpeg.ts";
import { JpegError, type JpegErrorReason } from "./jpeg/jpeg_error.ts";
import type { ImageDecoder } from "./pipeline.ts";
import type { DecodePlan } from "./render_plan.ts";
import type { StripSink } from "./strip.ts";

const CODES: Readonly<Record<JpegErrorReason, ErrorCode>> = {
  truncated: "image_truncated",
  corrupt: "image_undecodable",
  unsupported: "unsupported_image",
  budget: "image_budget_exceeded",
};

/** Decodes JPEG at 1/1, 1/2, 1/4 or 1/8, and only the rows and columns that are shown. */
export const JPEG_DECODER: ImageDecoder = {
  formats: ["jpeg"],
  traits: { scales: [1, 2, 4, 8], crops: true },
  decode(bytes, facts, job) {
    if (!hasInkProfile(facts)) return decode(bytes, facts, { ...job, mixer: null });
    return loadInkMixer(bytes, facts).then((mixer) => decode(bytes, facts, { ...job, mixer }));
  },
};

function decode(
  bytes: Uint8Array,
  facts: ImageFacts,
  { plan, sink, mixer }: { plan: DecodePlan; sink: StripSink; mixer: InkMixer | null },
): void {
  try {
    const { width, height } = parseJpegHeader(bytes);
    if (width !== facts.width || height !== facts.height) {
      throw new AppError("image_undecodable", "The JPEG's size differs from its header's");
    }
    decodeJpeg(bytes, { scale: plan.scale, region: plan.region, mixer }, sink);
  } catch (error) {
    if (!(error instanceof JpegError)) throw error;
    throw new AppError(CODES[error.reason], error.message, { cause: error });
  }
}
