import type { ContentHash } from "../../core/content_hash.ts";
import { formatRawKey } from "../../core/object_keys.ts";
import type { ObjectReader } from "../../core/object_store.ts";
import { AppError, type ErrorKind } from "../../errors.ts";
import { buildPlaceholder } from "../../image/placeholder.ts";
import { decodePng } from "../../image/png/decode_png.ts";
import { CENTRE } from "../../image/render_spec.ts";
import { createRgbaCollector } from "../../image/rgba_collector.ts";
import type { PlaceholderMaker } from "../../uploads/ports.ts";
import type { ImageRenderer } from "../../variants/ports.ts";

/** What placeholders are made with. */
export interface PlaceholderMakerDeps {
  readonly objects: Pick<ObjectReader, "get">;
  readonly renderer: ImageRenderer;
  /** Larger originals go without a placeholder. */
  readonly maxSourceBytes: number;
}

/** Longest side of the picture that a placeholder is made from; ThumbHash takes no more. */
const SIDE_PIXELS = 100;

/** Failures that lie in the file, not in us: the asset simply has no placeholder. */
const NO_PICTURE: ReadonlySet<ErrorKind> = new Set(["unsupported", "undecodable"]);

/** Makes placeholders from a small render, which decodes JPEG at 1/8. */
export function createPlaceholderMaker(deps: PlaceholderMakerDeps): PlaceholderMaker {
  return {
    async makePlaceholder(hash, signal) {
      const source = await readSource(deps, hash, signal);
      if (source === null) return null;
      try {
        const { bytes, width, height } = await deps.renderer.render(source, {
          width: SIDE_PIXELS,
          height: SIDE_PIXELS,
          fit: "inside",
          focal: CENTRE,
          quality: 100,
          format: "png",
        }, { signal });
        const collector = createRgbaCollector();
        await decodePng(bytes, { width, height }, collector);
        return buildPlaceholder(collector.picture());
      } catch (error) {
        if (error instanceof AppError && NO_PICTURE.has(error.kind)) return null;
        throw error;
      }
    },
  };
}

async function readSource(
  { objects, maxSourceBytes }: PlaceholderMakerDeps,
  hash: ContentHash,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const body = await objects.get(formatRawKey(hash), { signal });
  if (body === null) return null;
  if (body.sizeBytes > maxSourceBytes) {
    await body.stream.cancel();
    return null;
  }
  return new Uint8Array(
    await new Response(body.stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
  );
}
