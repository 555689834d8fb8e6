import { chooseMediaType, looksLikeText } from "../core/claimed_media_type.ts";
import type { ImageFacts } from "../core/image_facts.ts";
import type { ByteSource } from "../core/image_header/byte_source.ts";
import { probeImage } from "../core/image_header/probe_image.ts";
import { type MediaTypeSniffer, SNIFF_BYTES } from "../core/media_type.ts";
import { AppError, type ErrorKind } from "../errors.ts";
import type { AssetFacts, FactReader } from "./ports.ts";

/** Bytes that decide whether a file is text. */
const TEXT_SAMPLE_BYTES = 4096;

/** What the probe says of bytes that it cannot make sense of; anything else is a failed read. */
const BAD_IMAGE: ReadonlySet<ErrorKind> = new Set(["undecodable", "unsupported"]);

/**
 * Creates the reader of an asset's facts: its type by the first bytes, and for images what their
 * header says. A broken image is stored like any other file, with its type and no size.
 */
export function createFactReader(sniff: MediaTypeSniffer): FactReader {
  return {
    async readFacts(source, claimedType) {
      const image = await probe(source);
      if (image !== null) return toAssetFacts(image);
      const head = await source.read(0, Math.min(source.size, SNIFF_BYTES));
      const mediaType = chooseMediaType({
        sniffed: await sniff(head),
        claimed: claimedType,
        isText: looksLikeText(head.subarray(0, TEXT_SAMPLE_BYTES)),
      });
      return { ...NOT_AN_IMAGE, mediaType };
    },
  };
}

async function probe(source: ByteSource): Promise<ImageFacts | null> {
  try {
    return await probeImage(source);
  } catch (error) {
    if (error instanceof AppError && BAD_IMAGE.has(error.kind)) return null;
    throw error;
  }
}

const NOT_AN_IMAGE = {
  width: null,
  height: null,
  orientation: null,
  frames: null,
  bitDepth: null,
  colorModel: null,
  hasAlpha: null,
  iccName: null,
};

function toAssetFacts(image: ImageFacts): AssetFacts {
  return {
    mediaType: image.mediaType,
    width: image.orientedWidth,
    height: image.orientedHeight,
    orientation: image.orientation,
    frames: image.frames,
    bitDepth: image.bitDepth,
    colorModel: image.colorModel,
    hasAlpha: image.hasAlpha,
    // The profile is the file's own text: NUL would be refused by the database.
    iccName: image.iccName?.toWellFormed().replaceAll("\0", "").slice(0, 255) ?? null,
  };
}
