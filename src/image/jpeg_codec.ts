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

/**
 * What leaving the last bits of a progressive file out may cost at most: 40 dB against reading them,
 * if all of them were wrong by a whole step. On photographs it is 45 to 55 dB.
 */
const TOLERANCE = 2.5;

/** Decodes JPEG at 1/8 to 8/8 (not 7/8), and only the rows and columns that are shown. */
export const JPEG_DECODER: ImageDecoder = {
  formats: ["jpeg"],
  traits: { scales: [1, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125], crops: true },
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
    const { scale, region, softness = 1 } = plan;
    decodeJpeg(bytes, { scale, region, softness, tolerance: TOLERANCE, mixer }, sink);
  } catch (error) {
    if (!(error instanceof JpegError)) throw error;
    throw new AppError(CODES[error.reason], error.message, { cause: error });
  }
}
