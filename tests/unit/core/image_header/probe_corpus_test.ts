import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { memorySource } from "../../../../src/core/image_header/byte_source.ts";
import { probeImage } from "../../../../src/core/image_header/probe_image.ts";
import { AppError } from "../../../../src/errors.ts";
import { readManifest, sharedDataDir } from "../../../support/shared_data.ts";

/**
 * Files of which Pillow says another size, by design: it grows a GIF's canvas to its frames where
 * the specification and browsers do not, and it reads some fuzzed TIFFs by other rules.
 */
const OTHER_SIZE = new Set([
  "dvyukov+go-fuzz-corpus/tiff/corpus/13cbb8b66b02fb0f0e79716220a3d48e47483849-6",
  "dvyukov+go-fuzz-corpus/tiff/corpus/4a132fcbb5da38558e471f9f109df4ef6c81f077-4",
  "dvyukov+go-fuzz-corpus/tiff/corpus/c5da243b520004243e823a821ea5709bc318bef9-2",
  "google+wuffs/test/data/artificial-gif/frame-out-of-bounds.gif",
  "image-rs+image-gif/tests/crashtest/issue-117-out-of-range.gif",
  "image-rs+image-gif/tests/crashtest/issue-96-small-codesize-2.gif",
  "image-rs+image/tests/images/gif/anim/oob.gif",
  "python-pillow+Pillow/Tests/images/crash-74d2a78403a5a59db1fb0a2b8735ac068a75f6e3.tif",
  "python-pillow+Pillow/Tests/images/decompression_bomb.gif",
  "robert-ancell+pygif/test-suite/image-outside-bg.gif",
  "robert-ancell+pygif/test-suite/image-overlap-bg.gif",
]);

const dir = sharedDataDir();

Deno.test({
  name: "probeImage() agrees with Pillow on size and profile over the corpus, and never crashes",
  ignore: dir === null,
  fn: async () => {
    let agreed = 0;
    const wrong: string[] = [];
    for (const file of readManifest(dir ?? "")) {
      const bytes = readFileSync(`${dir}/${file.path}`);
      const startedAt = performance.now();
      const facts = await probeImage(memorySource(bytes)).catch((error) => {
        if (!(error instanceof AppError)) wrong.push(`${file.path}: ${error}`);
        return null;
      });
      if (performance.now() - startedAt > 1_000) wrong.push(`${file.path}: slow`);
      if (!facts || file.width === null || OTHER_SIZE.has(file.path)) continue;
      const stored = facts.width === file.width && facts.height === file.height;
      const oriented = facts.orientedWidth === file.width && facts.orientedHeight === file.height;
      if (!stored && !oriented) wrong.push(`${file.path}: ${facts.width}×${facts.height}`);
      if (facts.iccName !== null && !facts.iccName.startsWith(file.iccName)) {
        wrong.push(`${file.path}: ${facts.iccName}`);
      }
      agreed++;
    }
    assert.deepEqual(wrong, []);
    assert(agreed > 1_200, `only ${agreed} files compared`);
  },
});
