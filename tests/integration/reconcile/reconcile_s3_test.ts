/** Reconciliation against a real S3 gateway: hundreds of objects, every kind of drift it can have. */
import assert from "node:assert/strict";
import { createS3ObjectStore, ensureBucket } from "../../../src/adapters/s3/s3_object_store.ts";
import { formatQuarantineKey, formatRawKey } from "../../../src/core/object_keys.ts";
import { readKeys } from "../../support/invariants.ts";
import { hashText, openReconcileWorld, textOf } from "../../support/reconcile_world.ts";
import { findTestS3 } from "../../support/test_s3.ts";

const s3 = findTestS3();
if (s3) {
  Deno.test("reconciliation on S3 settles what drifted among 300 objects", async () => {
    await using world = await openReconcileWorld();
    const target = { ...s3, bucket: `facet-reconcile-${crypto.randomUUID().slice(0, 8)}` };
    await ensureBucket(target);
    const objects = createS3ObjectStore(target);
    const put = (label: string, text = textOf(label)) =>
      objects.put(formatRawKey(hashText(label)), new TextEncoder().encode(text));
    try {
      const labels = Array.from({ length: 300 }, (_, i) => `healthy ${i}`);
      while (labels.length > 0) {
        await Promise.all(
          labels.splice(0, 10).map(async (label) => {
            await world.addRow(label);
            await put(label);
          }),
        );
      }
      const missing = await world.addRow("missing");
      const resized = await world.addRow("resized");
      await put("resized", "shorter");
      const back = await world.addRow("back", { state: "MISSING" });
      await put("back");
      await put("orphan");
      // Names that share their beginning with the shard's.
      await objects.put("raw/070/other", new TextEncoder().encode("not in raw/07/"));
      const { counts } = await world.run({ repair: true }, { objects });
      const acted = Object.fromEntries(Object.entries(counts!.acted).filter(([, n]) => n > 0));
      assert.deepEqual(acted, { missing: 1, orphan: 1, size_mismatch: 1, back_again: 1 });
      assert.deepEqual(counts!.found, counts!.acted);
      assert.equal(counts!.objects, 303);
      assert.equal((await world.rowOf(missing))?.state, "MISSING");
      assert.equal((await world.rowOf(resized))?.flagged, "size_mismatch");
      assert.equal((await world.rowOf(back))?.state, "READY");
      const key = formatRawKey(hashText("orphan"));
      assert.deepEqual(await readKeys(objects, "quarantine/"), [formatQuarantineKey(key)]);
      assert.equal(await objects.head(key), null);
      assert.ok(await objects.head("raw/070/other"));
      assert.deepEqual(world.reports, []);
    } finally {
      await objects.deleteMany(await readKeys(objects, ""));
      await objects.close();
    }
  });
}
