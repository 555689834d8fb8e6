/**
 * Grades renders of the corpus against pictures that others decoded.
 *
 * Each file is rendered to PNG at its own size (larger ones at most 1,600 pixels a side), turned
 * upright, and compared: PngSuite with its oracle bitmaps, jpeg-decoder's files with their PNG
 * truths, everything else with libvips (sharp), which must fail on the file or agree.
 */
import { Buffer } from "node:buffer";
import { existsSync, readFileSync } from "node:fs";
import sharp from "sharp";
import { createPipelineParts } from "../../src/adapters/workers/codec_registry.ts";
import { checkImageBudgets } from "../../src/core/image_budgets.ts";
import type { ImageFacts } from "../../src/core/image_facts.ts";
import { memorySource } from "../../src/core/image_header/byte_source.ts";
import { probeImage } from "../../src/core/image_header/probe_image.ts";
import { AppError } from "../../src/errors.ts";
import { renderImage } from "../../src/image/pipeline.ts";
import { CENTRE } from "../../src/image/render_spec.ts";
import { CORPUS_EXCEPTIONS } from "./corpus_exceptions.ts";
import type { SharedFile } from "./shared_data.ts";

/** What came of one file. */
export type CorpusVerdict =
  /** The picture agrees with the reference. */
  | "right"
  /** It does not, for a reason that is written down in `corpus_exceptions.ts`. */
  | "other"
  /** Rendered, and no reference decodes the file. */
  | "alone"
  /** Not an image that Facet knows: served as a file, 415 as a picture. */
  | "not-image"
  /** Refused, and the reference refuses it as well, or reads it only with errors. */
  | "refused"
  /** Refused although the reference decodes it, for a documented reason. */
  | "refused-valid"
  /** Anything else: a wrong picture, a crash, no end. */
  | "wrong";

export interface CorpusGrade {
  readonly path: string;
  readonly category: string;
  readonly verdict: CorpusVerdict;
  /** Error code, PSNR or reason. */
  readonly note: string;
  readonly tookMs: number;
}

/** Larger pictures are compared at this size. */
const MAX_SIDE = 1_600;
/** Decibels that pictures of the same size have to reach. */
const MIN_PSNR = 35;
/** Categories of files that fuzzers broke: refusing them is right whatever others make of them. */
const MUTATED = /^(fuzz-|jpeg-crash)/;
const BUDGET_BYTES = 1 << 30;

const parts = createPipelineParts();

/** Renders and grades one file. */
export async function gradeFile(dir: string, file: SharedFile): Promise<CorpusGrade> {
  const bytes = new Uint8Array(readFileSync(`${dir}/${file.path}`));
  const startedAt = performance.now();
  const done = (verdict: CorpusVerdict, note: string): CorpusGrade => ({
    path: file.path,
    category: file.category,
    verdict,
    note,
    tookMs: performance.now() - startedAt,
  });
  const exception = CORPUS_EXCEPTIONS[file.path];
  let facts: ImageFacts | null;
  let ours: Raster;
  try {
    facts = await probeImage(memorySource(bytes));
    if (facts === null) return done("not-image", "");
    checkImageBudgets(facts);
    ours = await renderRaster(bytes, facts);
  } catch (error) {
    if (!(error instanceof AppError)) return done("wrong", `crash: ${error}`);
    if (error.code === "internal_error") return done("wrong", `${error.code}: ${error.message}`);
    if (MUTATED.test(file.category)) return done("refused", error.code);
    const theirs = await readReference(dir, file, { bytes, size: null });
    if (theirs === null) return done("refused", error.code);
    return exception?.refused
      ? done("refused-valid", `${error.code}: ${exception.refused}`)
      : done("wrong", `${error.code}: ${error.message}`);
  }
  const graded = done("right", "");
  const theirs = await readReference(dir, file, { bytes, size: ours });
  if (theirs === null) return { ...graded, verdict: "alone", note: facts.format };
  const psnr = comparePictures(ours, theirs);
  if (psnr >= MIN_PSNR) return { ...graded, note: psnr.toFixed(1) };
  return exception?.differs
    ? { ...graded, verdict: "other", note: exception.differs }
    : { ...graded, verdict: "wrong", note: `PSNR ${psnr.toFixed(1)}` };
}

interface Raster {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

async function renderRaster(bytes: Uint8Array, facts: ImageFacts): Promise<Raster> {
  const { orientedWidth, orientedHeight } = facts;
  const scale = Math.min(1, MAX_SIDE / Math.max(orientedWidth, orientedHeight));
  const width = Math.max(1, Math.round(orientedWidth * scale));
  const height = Math.max(1, Math.round(orientedHeight * scale));
  const rendered = await renderImage({
    source: bytes,
    facts,
    spec: { width, height, fit: "cover", focal: CENTRE, quality: 90, format: "png" },
    memoryBudgetBytes: BUDGET_BYTES,
  }, parts);
  return await decodeReference(rendered.bytes, null) as Raster;
}

/** The picture by somebody else, or null when nobody can. */
async function readReference(
  dir: string,
  file: SharedFile,
  options: { bytes: Uint8Array; size: { width: number; height: number } | null },
): Promise<Raster | null> {
  const truth = truthPath(dir, file.path);
  const source = truth ? new Uint8Array(readFileSync(truth)) : options.bytes;
  return await decodeReference(source, options.size);
}

function truthPath(dir: string, path: string): string | null {
  const truth = path.includes("jpeg-decoder/tests/reftest/")
    ? path.replace(/\.jpe?g$/, ".png")
    : path.startsWith("lunapaint+pngsuite/")
    ? path.replace("/bmp/", "/png/").replace(/\.bmp$/, ".png")
    : path;
  return truth !== path && existsSync(`${dir}/${truth}`) ? `${dir}/${truth}` : null;
}

async function decodeReference(
  bytes: Uint8Array,
  size: { width: number; height: number } | null,
): Promise<Raster | null> {
  try {
    const picture = sharp(bytes, { failOn: "error", ignoreIcc: true, limitInputPixels: 60e6 })
      .autoOrient();
    if (size !== null) picture.resize(size.width, size.height, { fit: "cover" });
    const { data, info } = await picture.toColourspace("srgb").ensureAlpha()
      .raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, pixels: data };
  } catch {
    return null;
  }
}

/** Peak signal to noise of colour as it looks on black, and of alpha. Infinity when equal. */
export function comparePictures(a: Raster, b: Raster): number {
  if (a.width !== b.width || a.height !== b.height) return 0;
  if (Buffer.compare(a.pixels, b.pixels) === 0) return Infinity;
  let sum = 0;
  for (let p = 0; p < a.pixels.length; p += 4) {
    const [alphaA, alphaB] = [a.pixels[p + 3], b.pixels[p + 3]];
    for (let c = 0; c < 3; c++) {
      sum += ((a.pixels[p + c] * alphaA - b.pixels[p + c] * alphaB) / 255) ** 2;
    }
    sum += (alphaA - alphaB) ** 2;
  }
  return 10 * Math.log10(255 ** 2 / (sum / a.pixels.length));
}
