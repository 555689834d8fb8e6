/**
 * The shared corpus: every file gives the right picture or a named refusal, in bounded time, and no
 * variant carries metadata.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createPipelineParts } from "../../src/adapters/workers/codec_registry.ts";
import { memorySource } from "../../src/core/image_header/byte_source.ts";
import { probeImage } from "../../src/core/image_header/probe_image.ts";
import { renderImage } from "../../src/image/pipeline.ts";
import { CENTRE, type OutputFormat } from "../../src/image/render_spec.ts";
import { type CorpusVerdict, gradeFile } from "../support/corpus_grade.ts";
import { findMetadata, hasExiftool } from "../support/exiftool.ts";
import { readManifest, sharedDataDir, type SharedFile } from "../support/shared_data.ts";

/** Larger files are left to `deno task corpus`. */
const MAX_FILE_BYTES = 150_000;
/** A file of that size may not take longer, even on a busy machine. */
const MAX_FILE_MS = 10_000;

const dir = sharedDataDir();
const files = dir === null
  ? []
  : readManifest(dir).filter((file) => file.sizeBytes <= MAX_FILE_BYTES);

Deno.test({
  name: "every file of the corpus gives the right picture or a named refusal",
  ignore: dir === null,
  fn: async () => {
    const counts = new Map<CorpusVerdict, number>();
    const bad: string[] = [];
    for (const file of files) {
      const grade = await gradeFile(dir ?? "", file);
      counts.set(grade.verdict, (counts.get(grade.verdict) ?? 0) + 1);
      if (grade.verdict === "wrong") bad.push(`${grade.path}: ${grade.note}`);
      if (grade.tookMs > MAX_FILE_MS) bad.push(`${grade.path}: took ${grade.tookMs} ms`);
    }
    assert.deepEqual(bad, []);
    const right = counts.get("right") ?? 0;
    assert(right > 950, `only ${right} pictures were compared`);
  },
});

/** Categories whose files carry what must not get out. */
const PRIVATE = new Set([
  "exif-gps-privacy",
  "exif-orientation",
  "metadata-broken",
  "generated-polyglot",
]);

async function renderVariant(file: SharedFile, format: OutputFormat): Promise<Uint8Array | null> {
  const source = new Uint8Array(readFileSync(`${dir}/${file.path}`));
  const facts = await probeImage(memorySource(source)).catch(() => null);
  if (facts === null) return null;
  const spec = { width: 64, height: 48, fit: "cover", focal: CENTRE, quality: 60, format } as const;
  const request = { source, facts, spec, memoryBudgetBytes: 1 << 30 };
  return (await renderImage(request, createPipelineParts())).bytes;
}

Deno.test({
  name: "no variant carries EXIF, GPS, XMP, IPTC, comments or trailers, says exiftool",
  ignore: dir === null || !(await hasExiftool()),
  fn: async () => {
    const formats = ["webp", "jpg", "png", "avif"] as const;
    const variants: { name: string; bytes: Uint8Array }[] = [];
    const sources = files.filter((file) =>
      PRIVATE.has(file.category) && file.pillowVerdict === "ok"
    );
    for (const [i, file] of sources.entries()) {
      const format = formats[i % formats.length];
      const bytes = await renderVariant(file, format);
      if (bytes !== null) variants.push({ name: `${file.path} as ${format}`, bytes });
    }
    const found = await findMetadata(...variants.map(({ bytes }) => bytes));
    const leaks = found.flatMap((tags, i) =>
      tags.length > 0 ? [`${variants[i].name}: ${tags.join(" ")}`] : []
    );
    assert.deepEqual(leaks, []);
    assert(variants.length > 40, `only ${variants.length} variants`);
  },
});
