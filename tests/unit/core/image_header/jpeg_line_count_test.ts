import assert from "node:assert/strict";
import { memorySource } from "../../../../src/core/image_header/byte_source.ts";
import { probeImage } from "../../../../src/core/image_header/probe_image.ts";
import { buildJpeg } from "../../image/jpeg/jpeg_builder.ts";

Deno.test("probeImage() takes a JPEG's height from the DNL segment behind its first scan", async () => {
  for (const scans of [[[0, 1, 2]], [[0], [1], [2]]]) {
    const { bytes } = buildJpeg({
      width: 40,
      height: 50,
      sampling: [[2, 2], [1, 1], [1, 1]],
      dnl: true,
      scans,
    });
    const facts = await probeImage(memorySource(bytes));
    assert.deepEqual([facts?.width, facts?.height], [40, 50]);
  }
});

Deno.test("probeImage() refuses a JPEG without any height", async () => {
  const { bytes } = buildJpeg({ width: 40, height: 50, sampling: [[1, 1]], dnl: true });
  const at = bytes.findIndex((byte, i) => byte === 0xff && bytes[i + 1] === 0xdc);
  bytes[at + 1] = 0xfe;
  await assert.rejects(probeImage(memorySource(bytes)), { code: "image_undecodable" });
  await assert.rejects(probeImage(memorySource(bytes.subarray(0, at))), {
    code: "image_undecodable",
  });
});
