/**
 * What the decoders can do, known without loading them: the pool plans on the main thread.
 *
 * @module
 */

import type { ImageFormat } from "../../core/image_facts.ts";
import type { DecoderTraits } from "../../image/render_plan.ts";

const WHOLE_PICTURE: DecoderTraits = { scales: [1], crops: false };
const SCALED_REGION: DecoderTraits = {
  scales: [1, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125],
  crops: true,
};

/** The traits of the decoder that `codec_registry.ts` finds for a format. */
export function findDecoderTraits(format: ImageFormat): DecoderTraits {
  return format === "jpeg" ? SCALED_REGION : WHOLE_PICTURE;
}
