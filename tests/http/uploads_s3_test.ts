/** Resumable and direct uploads on a real S3 gateway: what the disk store cannot show. */
import assert from "node:assert/strict";
import { createS3ObjectStore, ensureBucket } from "../../src/adapters/s3/s3_object_store.ts";
import type { ObjectStore } from "../../src/core/object_store.ts";
import { assertInvariants, readKeys } from "../support/invariants.ts";
import { findTestS3 } from "../support/test_s3.ts";
import { openUploadApp, type UploadApp } from "../support/upload_app.ts";
import { direct, resumable } from "../support/upload_routes.ts";
import { MIB, randomFile, sha256Of } from "../support/upload_world.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const CHUNK = { "tus-resumable": "1.0.0", "content-type": "application/offset+octet-stream" };

interface Part {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** Runs `work` on a bucket of its own, where there is a gateway. */
async function onS3(work: (at: UploadApp, objects: ObjectStore) => Promise<void>): Promise<void> {
  const found = findTestS3();
  if (found === null) return;
  const options = { ...found, bucket: `facet-ways-${crypto.randomUUID()}` };
  await ensureBucket(options);
  const objects = createS3ObjectStore(options);
  try {
    const more: Parameters<typeof openUploadApp>[0] = {
      objects,
      more: (parts) => [...direct()(parts), ...resumable()(parts)],
    };
    await using at = await openUploadApp(more);
    await work(at, objects);
    await assertInvariants({ database: at.world.database, objects });
  } finally {
    await objects.deleteMany(await readKeys(objects, ""));
    await objects.close();
  }
}

async function putPart({ url, headers, offsetBytes, sizeBytes }: Part, bytes: Bytes) {
  const body = bytes.slice(offsetBytes, offsetBytes + sizeBytes);
  const response = await fetch(url, { method: "PUT", headers, body });
  await response.body?.cancel();
  return response.status;
}

Deno.test("directUploadRoutes() hands out URLs that the bucket accepts, for exactly those bytes", () =>
  onS3(async (at) => {
    for (const sizeBytes of [3000, 11 * MIB + 9]) {
      const bytes = randomFile(sizeBytes) as Bytes;
      const wish = JSON.stringify({ sizeBytes, sha256: sha256Of(bytes) });
      const planned = await at.send("/v1/uploads/direct", { method: "POST", body: wish });
      const { uploadId, parts } = await planned.json() as { uploadId: string; parts: Part[] };
      const longer = { ...parts[0], sizeBytes: parts[0].sizeBytes - 1 };
      assert.equal(await putPart(longer, bytes), 403, "a body of another length was accepted");
      for (const part of parts) assert.equal(await putPart(part, bytes), 200);
      const path = `/v1/uploads/direct/${uploadId}/complete`;
      const created = await at.send(path, { method: "POST" });
      assert.equal(created.status, 201, await created.clone().text());
      assert.equal((await created.json()).contentHash, sha256Of(bytes));
      assert.equal(await at.countObjects("staging/"), 0);
    }
  }));

Deno.test("tusRoutes() assembles parts and tails in a bucket", () =>
  onS3(async (at, objects) => {
    const bytes = randomFile(13 * MIB + 1) as Bytes;
    const created = await at.send("/v1/uploads", {
      method: "POST",
      headers: { "tus-resumable": "1.0.0", "upload-length": String(bytes.length) },
    });
    const path = created.headers.get("location") ?? "";
    let offset = 0;
    let hash: string | null = null;
    for (const size of [100, 6 * MIB, 5 * MIB - 50, 10 * MIB]) {
      const response = await at.send(path, {
        method: "PATCH",
        headers: { ...CHUNK, "upload-offset": String(offset) },
        body: bytes.slice(offset, offset + size),
      });
      assert.equal(response.status, 204, await response.text());
      offset = Number(response.headers.get("upload-offset"));
      hash = response.headers.get("facet-content-hash");
    }
    assert.equal(hash, sha256Of(bytes));
    assert.equal(await at.countObjects("staging/"), 0);
    for await (const upload of objects.listMultipartUploads("staging/")) {
      assert.fail(`left ${upload.key}`);
    }
  }));
